/**
 * The safetensors format (huggingface/safetensors, README "Format"): 8 bytes little-endian header length, a JSON
 * header padded with spaces so that data start 8-aligned, then the tensors without gaps. Tensors are laid out as the
 * reference implementation does, by falling element type and then by name, so bytes agree with Python's.
 * Little-endian machines only, as is everything Deno runs on.
 */
import { type Elements, type NDArray, size, type Tensors } from "../ndarray.ts";

const dtypes = { F64: Float64Array, F32: Float32Array, I32: Int32Array, U8: Uint8Array } as const;
type Dtype = keyof typeof dtypes;
const order = Object.keys(dtypes) as Dtype[];

/** The reference implementation's bound; a longer header is an attack or noise. */
const MAX_HEADER = 100_000_000;

function dtypeOf(name: string, data: Elements): Dtype {
  const found = order.find((dtype) => data instanceof dtypes[dtype]);
  if (found) return found;
  throw new TypeError(
    `Cannot store tensor "${name}": its data must be a Float64Array, Float32Array, Int32Array or Uint8Array`,
  );
}

/**
 * Writes tensors; equal tensors give equal bytes, whatever the order of the record's keys. NaN payloads and signed
 * zeros are kept.
 *
 * @throws {RangeError} when a tensor's data do not fill its shape, or it is called "__metadata__"
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, NDArray<Elements>>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(tensors).map(([name, tensor]) => {
    if (name === "__metadata__") {
      throw new RangeError(`Cannot store a tensor called "${name}": the name is the format's own`);
    }
    if (tensor.data.length !== size(tensor.shape)) {
      throw new RangeError(
        `Cannot store tensor "${name}" of shape [${tensor.shape}]: it has ${tensor.data.length} elements, ` +
          `the shape needs ${size(tensor.shape)}`,
      );
    }
    return { name, tensor, dtype: dtypeOf(name, tensor.data) };
  });
  entries.sort((a, b) => order.indexOf(a.dtype) - order.indexOf(b.dtype) || (a.name < b.name ? -1 : 1));
  const header: [string, unknown][] = [];
  if (metadata) {
    header.push([
      "__metadata__",
      Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => a < b ? -1 : 1)),
    ]);
  }
  let end = 0;
  for (const { name, tensor, dtype } of entries) {
    const begin = end;
    end += tensor.data.byteLength;
    header.push([name, { dtype, shape: tensor.shape, data_offsets: [begin, end] }]);
  }
  // Joined by hand: an object would move integer-like names to its front.
  const json = new TextEncoder().encode(
    `{${header.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`)}}`,
  );
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(start + end).fill(0x20, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(json, 8);
  let at = start;
  for (const { tensor: { data } } of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * Reads tensors of every element type the encoder writes. The arrays are copies, free of the given bytes.
 *
 * @throws {SyntaxError} when the header is not safetensors', or tensors overlap, leave gaps or end beyond the file
 * @throws {TypeError} when a tensor has an element type other than F64, F32, I32, U8
 */
export function decodeMixedSafetensors(
  bytes: Uint8Array,
): { tensors: Record<string, NDArray<Elements>>; metadata: Record<string, string> } {
  const { header, data } = readHeader(bytes);
  const { __metadata__: metadata = {}, ...descriptions } = header;
  const entries = Object.entries(descriptions).map(([name, value]) => ({ name, ...describe(name, value) }));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let expected = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== expected) {
      throw new SyntaxError(
        `Cannot read tensor "${name}" at byte ${begin}: it ${
          begin < expected ? "overlaps" : "leaves a gap after"
        } ` +
          `the tensor before, which ends at ${expected}`,
      );
    }
    expected = end;
  }
  if (expected !== data.length) {
    throw new SyntaxError(
      `Cannot read safetensors with ${data.length} data bytes: the header describes ${expected}`,
    );
  }
  const tensors = entries.sort((a, b) => a.name < b.name ? -1 : 1).map(
    ({ name, dtype, shape, begin, end }) => {
      // A fresh buffer is aligned for every type; slice() would not do, since a Node Buffer's is a view.
      const copy = new Uint8Array(data.subarray(begin, end)).buffer;
      return [name, { shape, data: new dtypes[dtype](copy) }] as const;
    },
  );
  return { tensors: Object.fromEntries(tensors), metadata: metadata as Record<string, string> };
}

/**
 * Reads float32 tensors: weights, learner states.
 *
 * @throws {TypeError} when a tensor is not F32
 * @throws {SyntaxError} as decodeMixedSafetensors
 */
export function decodeSafetensors(bytes: Uint8Array): { tensors: Tensors; metadata: Record<string, string> } {
  const { tensors, metadata } = decodeMixedSafetensors(bytes);
  for (const [name, { data }] of Object.entries(tensors)) {
    if (!(data instanceof Float32Array)) {
      throw new TypeError(
        `Cannot read tensor "${name}" of type ${dtypeOf(name, data)} as a weight: it must be F32`,
      );
    }
  }
  return { tensors: tensors as Tensors, metadata };
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  if (bytes.length < 8) {
    throw new SyntaxError(
      `Cannot read ${bytes.length} bytes as safetensors: the header length alone takes 8`,
    );
  }
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER || 8 + length > bytes.length) {
    throw new SyntaxError(
      `Cannot read a safetensors header of ${length} bytes: the file has ${
        bytes.length - 8
      } after its length field`,
    );
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch (cause) {
    throw new SyntaxError(`Cannot read the safetensors header of ${length} bytes: it must be JSON`, {
      cause,
    });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw new SyntaxError("Cannot read the safetensors header: it must be a JSON object");
  }
  return { header: header as Record<string, unknown>, data: bytes.subarray(8 + length) };
}

const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;

function describe(
  name: string,
  value: unknown,
): { dtype: Dtype; shape: number[]; begin: number; end: number } {
  const { dtype, shape, data_offsets: offsets } = Object(value);
  if (!order.includes(dtype)) {
    throw new TypeError(`Cannot read tensor "${name}" of type ${dtype}: it must be ${order.join(", ")}`);
  }
  if (
    !Array.isArray(shape) || !shape.every(isCount) ||
    !Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)
  ) {
    throw new SyntaxError(`Cannot read tensor "${name}": shape and data_offsets must be lists of counts`);
  }
  const [begin, end] = offsets as [number, number];
  const wanted = size(shape) * dtypes[dtype as Dtype].BYTES_PER_ELEMENT;
  if (end - begin !== wanted) {
    throw new SyntaxError(
      `Cannot read tensor "${name}" from bytes ${begin} to ${end}: ${dtype} of shape [${shape}] takes ${wanted}`,
    );
  }
  return { dtype, shape, begin, end };
}
