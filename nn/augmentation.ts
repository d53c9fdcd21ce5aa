/**
 * What a pixel agent does to its pictures before it learns from them, as functions of given random numbers: random crop
 * and color jitter of DSRL's public agent (github.com/nakamotoo/dsrl_pi0, jaxrl2/data/augmentations.py, after
 * DeepMind's byol). Pictures are [B, height, width, channels] with numbers 0 ... 255, three channels a camera.
 */
import {
  add,
  cast,
  clipByValue,
  div,
  equal,
  floor,
  gather,
  maximum,
  mean,
  minimum,
  mul,
  reshape,
  slice,
  split,
  stack,
  sub,
  type Tensor,
  transpose,
  unstack,
  where,
} from "@tensorflow/tfjs-core";
import { constant } from "../engine/trace.ts";
import { ndarray } from "../ndarray.ts";
import type { Stream } from "../random.ts";

/** Pixels that a crop adds on every side, copies of the edge. */
const padding = 4;
/** Largest change of brightness, contrast, saturation and hue, and how often pictures are jittered at all. */
const brightness = 0.2, contrast = 0.1, saturation = 0.1, hue = 0.03, probability = 0.8;

/** Random numbers of one picture's crop and of its jitter. */
export const cropNumbers = 2, jitterNumbers = 9;

/** Draws crops, [n, {@link cropNumbers}]: how many pixels the picture moves up and to the left of the padded one. */
export function drawCrops(stream: Stream, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = stream.integer(2 * padding + 1);
}

/**
 * Draws jitters, [n, {@link jitterNumbers}]: whether the picture is jittered; brightness, contrast, saturation, hue; which
 * of these four is changed first, second, third, last.
 */
export function drawJitters(stream: Stream, out: Float32Array): void {
  for (let at = 0; at < out.length; at += jitterNumbers) {
    out[at] = Number(stream.uniform() < probability);
    out[at + 1] = stream.uniform(-brightness, brightness);
    out[at + 2] = stream.uniform(1 - contrast, 1 + contrast);
    out[at + 3] = stream.uniform(1 - saturation, 1 + saturation);
    out[at + 4] = stream.uniform(-hue, hue);
    out.set(stream.permutation(4), at + 5);
  }
}

const range = (length: number, shape: number[]) =>
  constant(ndarray(shape, Float32Array.from({ length }, (_, i) => i)));

/** Moves every picture by its crop, [B, 2] from {@link drawCrops}; what comes in at an edge repeats the edge. */
export function randomCrop(pictures: Tensor, crops: Tensor): Tensor {
  const [batch, height, width, channels] = pictures.shape as [number, number, number, number];
  const [down, right] = split(sub(crops, padding), 2, 1);
  const rows = clipByValue(add(down!, range(height, [1, height])), 0, height - 1);
  const columns = clipByValue(add(right!, range(width, [1, width])), 0, width - 1);
  // NOTE: indices are computed as int32: float32 counts to 2^24 only, which a batch's pixels exceed.
  const first = mul(cast(range(batch, [batch, 1]), "int32"), constantInt(height));
  const line = mul(add(first, cast(rows, "int32")), constantInt(width));
  const indices = add(
    reshape(line, [batch, height, 1]),
    reshape(cast(columns, "int32"), [batch, 1, width]),
  );
  return gather(reshape(pictures, [batch * height * width, channels]), indices as never);
}

const constantInt = (value: number) => cast(constant(ndarray([], Float32Array.of(value))), "int32");

/**
 * Changes the colors of every picture by its jitter, [B, 9] from {@link drawJitters}; several cameras of a picture
 * change alike. The result is cut to whole numbers, as the public agent's. Pictures that are not jittered stay as
 * they are.
 */
export function colorJitter(pictures: Tensor, jitters: Tensor): Tensor {
  const [batch, height, width, channels] = pictures.shape as [number, number, number, number];
  const pixels = height * width;
  const numbers = (i: number) => slice(jitters, [0, i], [batch, 1]);
  // Planes [B, pixels] of one color each.
  const planes = unstack(transpose(reshape(pictures, [batch, pixels, channels]), [2, 0, 1]));
  const amounts = [1, 2, 3, 4].map(numbers) as Amounts;
  const jittered: Tensor[] = [];
  for (let camera = 0; camera < channels; camera += 3) {
    let colors = planes.slice(camera, camera + 3).map((plane) => div(plane, 255)) as Colors;
    for (let place = 0; place < 4; place++) colors = change(colors, numbers(5 + place), amounts);
    jittered.push(...colors.map((color) => floor(mul(color, 255))));
  }
  const applied = equal(numbers(0), 1);
  const chosen = jittered.map((color, i) => where(applied, color, planes[i]!));
  return reshape(transpose(stack(chosen), [1, 2, 0]), pictures.shape);
}

type Colors = [red: Tensor, green: Tensor, blue: Tensor];
type Amounts = [brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor];

/** Applies to every picture the change that `which`, [B, 1], names; the others' amounts are then neutral. */
function change(colors: Colors, which: Tensor, [brightness, contrast, saturation, hue]: Amounts): Colors {
  const pick = (i: number, amount: Tensor, neutral: number) => where(equal(which, i), amount, neutral);
  const brighter = pick(0, brightness, 0), factor = pick(1, contrast, 1);
  // x + δ; or (x - m) f + m with the mean m of the picture's color.
  const shifted = colors.map((x) => {
    const rest = mul(sub(1, factor), mean(x, 1, true));
    return clipByValue(add(mul(x, factor), add(brighter, rest)), 0, 1);
  }) as Colors;
  return turn(saturate(shifted, pick(2, saturation, 1)), pick(3, hue, 0));
}

/** Keeps a divisor away from 0, far below the smallest difference of two colors. */
const tiny = 1e-12;

/** Value (the largest color) and chroma (the largest less the smallest) of every pixel. */
function valueAndChroma([red, green, blue]: Colors): [Tensor, Tensor] {
  const value = maximum(maximum(red, green), blue);
  return [value, sub(value, minimum(minimum(red, green), blue))];
}

/**
 * Saturation times `factor`, at most 1, at the same hue and value. In these terms chroma = saturation · value, and every
 * color's distance from the value is proportional to the chroma.
 */
function saturate(colors: Colors, factor: Tensor): Colors {
  const [value, chroma] = valueAndChroma(colors);
  const by = minimum(factor, div(value, maximum(chroma, tiny)));
  return colors.map((x) => add(value, mul(sub(x, value), by))) as Colors;
}

/** Hue plus `angle` (full turns), at the same saturation and value (Smith 1978, "Color gamut transform pairs"). */
function turn(colors: Colors, angle: Tensor): Colors {
  const [red, green, blue] = colors;
  const [value, chroma] = valueAndChroma(colors);
  const sixth = maximum(mul(chroma, 6), tiny);
  const part = (a: Tensor, b: Tensor, from: number) => add(div(sub(a, b), sixth), from / 3);
  const hue = where(
    equal(red, value),
    part(green, blue, 0),
    where(equal(green, value), part(blue, red, 1), part(red, green, 2)),
  );
  const turned = add(hue, angle);
  // How far each color lies below the value: a trapezium along the circle of hues, shifted by thirds of a turn.
  return [5, 3, 1].map((offset) => {
    const at = add(turned, offset / 6);
    const k = mul(6, sub(at, floor(at)));
    return sub(value, mul(chroma, clipByValue(minimum(k, sub(4, k)), 0, 1)));
  }) as Colors;
}
