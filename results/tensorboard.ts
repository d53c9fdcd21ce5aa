/**
 * TensorBoard event files: TFRecord frames (length, masked CRC-32C of it, data, masked CRC-32C of them) around
 * `tensorflow.Event` messages with scalar summaries. Formats: tensorflow/core/lib/io/record_writer.h and
 * tensorflow/core/{util/event,framework/summary}.proto.
 */

/** A scalar at a step. */
export interface Scalar {
  /** What is measured, e.g. "critic/loss". */
  readonly tag: string;
  /** Step, a whole number of at most 2^53. */
  readonly step: number;
  /** Its value; stored as float32. */
  readonly value: number;
}

/** An event file. `wallTime` is in seconds since 1970 and the same for every event: curves have steps, not a clock. */
export function encodeEvents(scalars: readonly Scalar[], wallTime: number): Uint8Array {
  const time = [...tag(1, 1), ...double(wallTime)];
  const records = [record([...time, ...text(3, "brain.Event:2")])];
  for (const { tag: name, step, value } of scalars) {
    const summary = message(1, [...text(1, name), ...tag(2, 5), ...float(value)]);
    // As protobuf 3 does, 0 goes without saying.
    const counted = step === 0 ? [] : [...tag(2, 0), ...varint(step)];
    records.push(record([...time, ...counted, ...message(5, summary)]));
  }
  const bytes = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const each of records) {
    bytes.set(each, at);
    at += each.length;
  }
  return bytes;
}

/** A protobuf field's key. */
const tag = (field: number, wire: number) => [field << 3 | wire];
const message = (
  field: number,
  bytes: readonly number[],
) => [...tag(field, 2), ...varint(bytes.length), ...bytes];
const text = (field: number, value: string) => message(field, [...new TextEncoder().encode(value)]);

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt(value);; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 127n) | 128);
  }
}

function double(value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return [...new Uint8Array(view.buffer)];
}

function float(value: number): number[] {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return [...new Uint8Array(view.buffer)];
}

function record(data: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(16 + data.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, masked(bytes.subarray(12, 12 + data.length)), true);
  return bytes;
}

/** TFRecord's mask: a CRC of data that hold CRCs is a weak one. */
const masked = (bytes: Uint8Array) => {
  const crc = crc32c(bytes);
  return ((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0;
};

const TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255]! ^ crc >>> 8;
  return (crc ^ 0xffffffff) >>> 0;
}
