/**
 * ONNX models as bytes: the same bytes for the same model. The messages are written from the field numbers of
 * onnx.proto (IR version 9, opset 18) and of ONNX Runtime's contributed operators (com.microsoft 1).
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Attribute } from "./graph.ts";

const IR_VERSION = 9;
const OPSET = 18;
/** The domain of ONNX Runtime's contributed operators. */
export const MICROSOFT = "com.microsoft";
const PRODUCER = "uplift";
/** Element types by ONNX's numbers. */
export const DTYPES = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;
const FLOATS = new Set(["alpha", "epsilon"]);
/** Extents of a model's input or output; a name stands for an extent that is not fixed. */
export interface Port {
  /** Name of the value in its graph. */
  readonly name: string;
  /** Extents, outermost first. */
  readonly shape: readonly (number | string)[];
}

/** An operator as ONNX has it. */
export interface Node {
  /** Operator, e.g. "MatMul". */
  readonly op: string;
  /** Set the operator belongs to; ONNX's own when left out. */
  readonly domain?: string;
  /** Names of the values it reads, in the operator's order. */
  readonly inputs: readonly string[];
  /** Names it gives its results, in the operator's order. */
  readonly outputs: readonly string[];
  /** Settings by ONNX's names; a body is a graph that the operator runs. */
  readonly attributes?: Readonly<Record<string, Attribute | Body>>;
}

/** An array that is part of the model; `data` holds its little-endian elements. */
export interface Initializer {
  /** Name of the value in its graph. */
  readonly name: string;
  /** Type of the elements. */
  readonly dtype: keyof typeof DTYPES;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** Elements, row-major. */
  readonly data: Uint8Array;
}

/** An ONNX graph: of a model, or of an operator that runs a body. */
export interface Body {
  /** Name of the graph; nothing refers to it. */
  readonly name: string;
  /** What the graph is given, in order. */
  readonly inputs: readonly Port[];
  /** What it yields, in order. */
  readonly outputs: readonly Port[];
  /** Operators, each after those it reads from. */
  readonly nodes: readonly Node[];
  /** Arrays baked in. */
  readonly initializers: readonly Initializer[];
}

/** The bytes of a model that runs `body`. */
export function encodeModel(body: Body): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int64(IR_VERSION);
  writer.tag(2, WireType.LengthDelimited).string(PRODUCER);
  message(writer, 7, () => writeBody(writer, body));
  for (const [domain, version] of [["", OPSET], [MICROSOFT, 1]] as const) {
    message(writer, 8, () => {
      if (domain) writer.tag(1, WireType.LengthDelimited).string(domain);
      writer.tag(2, WireType.Varint).int64(version);
    });
  }
  return writer.finish();
}

function message(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

// GraphProto
function writeBody(writer: BinaryWriter, { name, inputs, outputs, nodes, initializers }: Body): void {
  for (const node of nodes) message(writer, 1, () => writeNode(writer, node));
  writer.tag(2, WireType.LengthDelimited).string(name);
  for (const { name, dtype, shape, data } of initializers) {
    message(writer, 5, () => { // TensorProto
      for (const extent of shape) writer.tag(1, WireType.Varint).int64(extent);
      writer.tag(2, WireType.Varint).int32(DTYPES[dtype]);
      writer.tag(8, WireType.LengthDelimited).string(name);
      writer.tag(9, WireType.LengthDelimited).bytes(data);
    });
  }
  for (const port of inputs) message(writer, 11, () => writePort(writer, port));
  for (const port of outputs) message(writer, 12, () => writePort(writer, port));
}

// NodeProto
function writeNode(writer: BinaryWriter, { op, domain, inputs, outputs, attributes = {} }: Node): void {
  for (const input of inputs) writer.tag(1, WireType.LengthDelimited).string(input);
  for (const output of outputs) writer.tag(2, WireType.LengthDelimited).string(output);
  writer.tag(4, WireType.LengthDelimited).string(op);
  for (const name of Object.keys(attributes).sort()) {
    message(writer, 5, () => writeAttribute(writer, name, attributes[name]!));
  }
  if (domain) writer.tag(7, WireType.LengthDelimited).string(domain);
}

// AttributeProto: the value in the field of its kind, and the kind again in field 20.
function writeAttribute(writer: BinaryWriter, name: string, value: Attribute | Body): void {
  writer.tag(1, WireType.LengthDelimited).string(name);
  let kind: number;
  if (typeof value === "number" && FLOATS.has(name)) {
    kind = 1;
    writer.tag(2, WireType.Bit32).float(value);
  } else if (typeof value === "number") {
    kind = 2;
    writer.tag(3, WireType.Varint).int64(value);
  } else if (typeof value === "string") {
    kind = 3;
    writer.tag(4, WireType.LengthDelimited).string(value);
  } else if ("nodes" in value) {
    kind = 5;
    message(writer, 6, () => writeBody(writer, value));
  } else {
    kind = 7;
    for (const element of value) writer.tag(8, WireType.Varint).int64(element);
  }
  writer.tag(20, WireType.Varint).int32(kind);
}

// ValueInfoProto of a float32 tensor
function writePort(writer: BinaryWriter, { name, shape }: Port): void {
  writer.tag(1, WireType.LengthDelimited).string(name);
  message(writer, 2, () =>
    message(writer, 1, () => {
      writer.tag(1, WireType.Varint).int32(DTYPES.float32);
      message(writer, 2, () => {
        for (const extent of shape) {
          message(writer, 1, () => {
            if (typeof extent === "number") writer.tag(1, WireType.Varint).int64(extent);
            else writer.tag(2, WireType.LengthDelimited).string(extent);
          });
        }
      });
    }));
}
