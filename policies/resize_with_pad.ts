/**
 * Pictures scaled to fit a square and padded with black, byte for byte as openpi's client does it (`resize_with_pad` in
 * packages/openpi-client, which is Pillow's bilinear resize): policies were trained on pictures made so, and other filters
 * are other inputs. Pillow widens the filter when it shrinks and rounds to bytes between the two passes.
 */
import type { Image } from "../envs/environment.ts";

/** Fraction bits of Pillow's coefficients for bytes: 32 - 8 - 2. */
const PRECISION = 22;

/** What one output pixel takes from a line: from `first` on, weights that add up to 2^22 but for rounding. */
interface Tap {
  readonly first: number;
  readonly weights: Int32Array;
}

/** Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc` for the bilinear (triangle) filter. */
function taps(from: number, to: number): Tap[] {
  const scale = from / to, stretch = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    // C's conversion to int cuts towards zero; what is negative is cut at zero anyway.
    const first = Math.max(0, Math.trunc(center - stretch + 0.5));
    const last = Math.min(from, Math.trunc(center + stretch + 0.5));
    const raw = Array.from(
      { length: last - first },
      (_, k) => Math.max(0, 1 - Math.abs((k + first - center + 0.5) * (1 / stretch))),
    );
    const sum = raw.reduce((a, b) => a + b, 0);
    const weights = Int32Array.from(raw, (w) => Math.trunc(0.5 + (w / sum) * (1 << PRECISION)));
    return { first, weights };
  });
}

/** One pass along lines of `from` pixels: pixel p of line l begins at byte l * line + p * pixel, of 3 channels. */
function pass(
  source: Uint8Array,
  { lines, from, to, input, output }: {
    lines: number;
    from: number;
    to: number;
    input: { readonly line: number; readonly pixel: number };
    output: { readonly line: number; readonly pixel: number };
  },
): Uint8Array {
  if (from === to) return source;
  const result = new Uint8Array(lines * to * 3);
  for (const [i, { first, weights }] of taps(from, to).entries()) {
    for (let l = 0; l < lines; l++) {
      for (let c = 0; c < 3; c++) {
        let sum = 1 << (PRECISION - 1);
        for (let k = 0; k < weights.length; k++) {
          sum += source[l * input.line + (first + k) * input.pixel + c]! * weights[k]!;
        }
        result[l * output.line + i * output.pixel + c] = Math.min(255, Math.max(0, sum >> PRECISION));
      }
    }
  }
  return result;
}

/** A picture of the new size, by Pillow's `Image.resize(..., BILINEAR)`: first along the rows, then along the columns. */
export function resize({ width, height, data }: Image, to: { width: number; height: number }): Image {
  const wide = pass(data, {
    lines: height,
    from: width,
    to: to.width,
    input: { line: width * 3, pixel: 3 },
    output: { line: to.width * 3, pixel: 3 },
  });
  const whole = pass(wide, {
    lines: to.width,
    from: height,
    to: to.height,
    input: { line: 3, pixel: to.width * 3 },
    output: { line: 3, pixel: to.width * 3 },
  });
  return { ...to, data: whole === data ? data.slice() : whole };
}

/**
 * A picture scaled to fit `width` x `height` pixels without distortion, in the middle of black.
 *
 * @throws {RangeError} when the picture is so narrow that nothing of it is left
 */
export function resizeWithPad(image: Image, width: number, height: number): Image {
  if (image.width === width && image.height === height) return { ...image, data: image.data.slice() };
  const ratio = Math.max(image.width / width, image.height / height);
  const inner = { width: Math.trunc(image.width / ratio), height: Math.trunc(image.height / ratio) };
  if (inner.width < 1 || inner.height < 1) {
    throw new RangeError(
      `Cannot fit a picture of ${image.width} x ${image.height} pixels into ${width} x ${height}: less than a pixel is left`,
    );
  }
  const scaled = resize(image, inner);
  const left = Math.trunc((width - inner.width) / 2), top = Math.trunc((height - inner.height) / 2);
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < inner.height; y++) {
    const row = scaled.data.subarray(y * inner.width * 3, (y + 1) * inner.width * 3);
    data.set(row, ((top + y) * width + left) * 3);
  }
  return { width, height, data };
}

/** A picture with left and right exchanged. */
export function mirrored({ width, height, data }: Image): Image {
  const turned = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * 3;
      turned.set(data.subarray(from, from + 3), (y * width + width - 1 - x) * 3);
    }
  }
  return { width, height, data: turned };
}
