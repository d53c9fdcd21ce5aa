import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { decodeTable, encodeTable, numbers, strings } from "./table.ts";

const evaluation = {
  task: ["pick", "plåce", "pick"],
  index: Int32Array.of(0, 1, 2),
  success: Uint8Array.of(1, 0, 1),
  length: Float32Array.of(80, 160, NaN),
  return: Float64Array.of(0.1, -Infinity, 2 ** 53),
};

Deno.test("decodeTable() gives back columns, types and order", () => {
  const table = decodeTable(encodeTable(evaluation));
  assert.deepEqual(table, evaluation);
  assert.deepEqual(Object.keys(table), Object.keys(evaluation));
});

Deno.test("encodeTable() gives equal bytes for equal columns", () => {
  assert.deepEqual(encodeTable(evaluation), encodeTable(structuredClone(evaluation)));
});

Deno.test("encodeTable() writes columns that share memory", () => {
  const shared = Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const columns = { a: shared, b: shared, c: shared.map((x) => x), d: shared.subarray() };
  assert.deepEqual(decodeTable(encodeTable(columns)), { a: shared, b: shared, c: shared, d: shared });
  const overlapping = { a: shared.subarray(0, 4), b: shared.subarray(2, 6), c: shared.subarray(4, 8) };
  assert.deepEqual(decodeTable(encodeTable(overlapping)), overlapping);
});

Deno.test("encodeTable() writes the bytes it always wrote", () => {
  // A new digest makes every stored table's successor a different object: say so in the commit.
  const digest = createHash("sha256").update(encodeTable(evaluation)).digest("hex");
  assert.equal(digest, "a4da64a7c165cef6aae7fc964ab8fd7e98493c132e463ae8c4e53125724f40c2");
});

Deno.test("decodeTable() reads tables without rows, and bytes that are not aligned", () => {
  assert.deepEqual(decodeTable(encodeTable({ task: [], success: new Uint8Array() })), {
    task: [],
    success: new Uint8Array(),
  });
  const bytes = encodeTable(evaluation);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  assert.deepEqual(decodeTable(shifted.subarray(1)), evaluation);
  assert.deepEqual(decodeTable(Buffer.from(bytes)), evaluation);
});

Deno.test("decodeTable() joins the batches of a file by pyarrow", () => {
  // pyarrow 26.0.1, fixtures/make_fixtures.py
  const bytes = Deno.readFileSync(new URL("./fixtures/two_batches.arrow", import.meta.url));
  assert.deepEqual(decodeTable(bytes), {
    task: ["pick", "plåce", "pick"],
    success: Uint8Array.of(1, 0, 1),
    return: Float64Array.of(1.5, -2, 0.25),
  });
});

Deno.test("numbers() and strings() name what is wrong", () => {
  assert.deepEqual(numbers(evaluation, "index"), evaluation.index);
  assert.deepEqual(strings(evaluation, "task"), evaluation.task);
  assert.throws(() => numbers(evaluation, "reward"), {
    message: 'Cannot read column "reward": the table has task, index, success, length, return',
  });
  assert.throws(() => numbers(evaluation, "task"), { message: 'Cannot read text column "task" as numbers' });
  assert.throws(() => strings(evaluation, "index"), {
    message: 'Cannot read numeric column "index" as text',
  });
});

Deno.test("encodeTable() refuses unequal columns and loose numbers", () => {
  assert.throws(() => encodeTable({ a: new Float64Array(2), b: ["x"] }), {
    message: 'Cannot write column "b" of 1 rows: "a" has 2, all must be equal',
  });
  assert.throws(() => encodeTable({ a: [1, 2] as unknown as string[] }), {
    message: 'Cannot write 1 in row 0 of column "a": an array holds text, numbers go in typed arrays',
  });
});

Deno.test("decodeTable() refuses bytes that are not Arrow", () => {
  assert.throws(() => decodeTable(new TextEncoder().encode("hello, this is no table at all")), {
    name: "SyntaxError",
    message: "Cannot read 30 bytes as an Arrow IPC file: they must be whole",
  });
  const bytes = encodeTable(evaluation);
  assert.throws(() => decodeTable(bytes.subarray(0, bytes.length - 20)), { name: "SyntaxError" });
});
