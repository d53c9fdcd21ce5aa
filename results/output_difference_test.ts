import assert from "node:assert/strict";
import { encodeSafetensors } from "../data/safetensors.ts";
import { encodeTable } from "../data/table.ts";
import { outputDifference } from "./output_difference.ts";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const tensor = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) });

Deno.test("outputDifference() of weights orders tensors by the norm of their difference", () => {
  const a = encodeSafetensors({ bias: tensor(1, 1), kernel: tensor(3, 4), same: tensor(7), gone: tensor(1) });
  const b = encodeSafetensors({
    bias: tensor(1, 1.5),
    kernel: tensor(6, 8),
    same: tensor(7),
    shift: tensor(1),
  });
  const { tensors, norm, ...rest } = outputDifference("weights", a, b) as Extract<
    ReturnType<typeof outputDifference>,
    { form: "weights" }
  >;
  assert.deepEqual(tensors.map(({ name, norm, relative }) => [name, norm, relative]), [
    ["kernel", 5, 1],
    ["bias", 0.5, Math.sqrt(0.25 / 2)],
  ]);
  assert.equal(norm, Math.sqrt(25.25));
  assert.deepEqual(rest, {
    form: "weights",
    relative: Math.sqrt(25.25 / 76),
    only: { a: ["gone"], b: ["shift"] },
  });
});

Deno.test("outputDifference() of weights puts tensors of other shapes first", () => {
  const a = encodeSafetensors({ bias: tensor(1), kernel: tensor(3, 4) });
  const b = encodeSafetensors({ bias: tensor(900), kernel: tensor(3, 4, 5) });
  const found = outputDifference("weights", a, b);
  assert.ok(found.form === "weights");
  assert.deepEqual(found.tensors[0], {
    name: "kernel",
    shape: "Float32 [2] -> Float32 [3]",
    norm: null,
    relative: null,
  });
});

Deno.test("outputDifference() of tables counts rows by column and gives the first", () => {
  const table = (success: number[], rest: Record<string, string[]>) =>
    encodeTable({ task: success.map(() => "reach"), success: Uint8Array.from(success), ...rest });
  const found = outputDifference(
    "evaluation",
    table([0, 1, 0, 1], {}),
    table([0, 0, 0, 0, 1], { note: [..."abcde"] }),
  );
  assert.deepEqual(found, {
    form: "table",
    rows: [4, 5],
    only: { a: [], b: ["note"] },
    columns: [{ name: "success", rows: 2, first: { row: 1, a: 1, b: 0 } }],
  });
});

Deno.test("outputDifference() of documents names paths, and at most 20 of them", () => {
  const found = outputDifference(
    "document",
    encode({ a: [1, 2], b: "x" }),
    encode({ a: [1, 3, 4], b: "x", c: null }),
  );
  assert.deepEqual(found, {
    form: "document",
    count: 3,
    paths: [{ path: "$.a[1]", a: 2, b: 3 }, { path: "$.a[2]", b: 4 }, { path: "$.c", b: null }],
  });
  const zeros = outputDifference("document", encode(Array(50).fill(0)), encode(Array(50).fill(1)));
  assert.ok(zeros.form === "document" && zeros.count === 50 && zeros.paths.length === 20);
});

Deno.test("outputDifference() of other kinds, and of what cannot be read, gives the first byte", () => {
  const bytes = (...values: number[]) => Uint8Array.from(values);
  assert.deepEqual(outputDifference("policy", bytes(1, 2, 3), bytes(1, 2)), {
    form: "bytes",
    at: 2,
    bytes: [3, 2],
  });
  const broken = outputDifference("weights", bytes(1, 2), bytes(1, 3));
  assert.ok(broken.form === "bytes");
  assert.equal(broken.at, 1);
  assert.equal(broken.reason, "Cannot read 2 bytes as safetensors: the header length alone takes 8");
});
