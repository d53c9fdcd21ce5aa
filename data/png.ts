/** Pictures as PNG: the form in which data sets embed them. */
import { convertIndexedToRgb, decode, encode } from "fast-png";
import type { Pixels } from "./lerobot_statistics.ts";

/** Red, green, blue of every pixel, row by row from the top. */
export interface Picture extends Pixels {
  /** 3. */
  readonly channels: number;
  /** [height * width * 3], 0 ... 255. */
  readonly data: Uint8Array;
}

/**
 * A picture as PNG at compression level 1: quick, and equal pixels give equal bytes.
 *
 * @throws {RangeError} when the data are not width * height * 3 numbers
 */
export function encodePng({ width, height, channels, data }: Picture): Uint8Array {
  if (channels !== 3 || data.length !== width * height * 3) {
    throw new RangeError(
      `Cannot encode ${data.length} numbers as a picture of ${width} x ${height}: it takes ${
        width * height * 3
      }`,
    );
  }
  return encode({ width, height, data, channels: 3, depth: 8 }, { zlib: { level: 1 } });
}

/**
 * The picture in a PNG file, as red, green and blue; grey becomes three equal channels, transparency is dropped.
 *
 * @throws {SyntaxError} when the bytes are no whole PNG, or it has 16 bits a channel (depth maps)
 */
export function decodePng(bytes: Uint8Array, where: string): Picture {
  let png: ReturnType<typeof decode>;
  try {
    png = decode(bytes, { checkCrc: true });
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${where} as a picture: it must be a whole PNG file`, { cause });
  }
  const { width, height } = png;
  if (png.depth === 16) {
    throw new SyntaxError(`Cannot read ${where} as a picture: it must have 8 bits a channel, not 16`);
  }
  const flat = png.palette ? convertIndexedToRgb(png) : png.data;
  const channels = flat.length / (width * height);
  if (!Number.isInteger(channels)) {
    throw new SyntaxError(
      `Cannot read ${where} as a picture: it must have 8 bits a channel, not ${png.depth}`,
    );
  }
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[3 * i + c] = flat[i * channels + (channels < 3 ? 0 : c)]!;
  }
  return { width, height, channels: 3, data };
}
