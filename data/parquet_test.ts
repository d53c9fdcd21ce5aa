import assert from "node:assert/strict";
import { inMemory, ParquetFile } from "./parquet_read.ts";
import { encodeParquet, type ParquetField, ParquetWriter } from "./parquet_write.ts";

const fields: ParquetField[] = [
  { name: "on", scalar: "bool", lists: 0 },
  { name: "small", scalar: "int8", lists: 0 },
  { name: "byte", scalar: "uint8", lists: 1 },
  { name: "long", scalar: "int64", lists: 0 },
  { name: "float", scalar: "float32", lists: 1 },
  { name: "grid", scalar: "float64", lists: 2 },
  { name: "a/text", scalar: "string", lists: 0 },
  { name: "texts", scalar: "string", lists: 1 },
  { name: "picture", scalar: "image", lists: 0 },
];

const rows = (from: number, to: number) => {
  const each = <T>(f: (i: number) => T) => Array.from({ length: to - from }, (_, i) => f(from + i));
  return {
    on: each((i) => i % 3 === 0),
    small: each((i) => i - 100),
    byte: each((i) => [i % 256, 255]),
    long: each((i) => BigInt(i) * 2n ** 40n - 5n),
    float: each((i) => [Math.fround(i / 3), -i, 0]),
    grid: each((i) => [[i, i / 7], [Math.PI, -0.5]]),
    "a/text": each((i) => `text ${i} ö`),
    texts: each((i) => i % 2 === 0 ? ["one"] : ["one", "two"]),
    picture: each((i) => ({ bytes: Uint8Array.of(137, i % 256, 0), path: `frame-${i}.png` })),
  };
};

Deno.test("what is written is read again, row group by row group, types and all", async () => {
  const writer = new ParquetWriter(fields, { hello: "wörld" });
  writer.write(rows(0, 40));
  writer.write(rows(40, 41));
  writer.write(rows(41, 60));
  const bytes = writer.finish();
  const file = await ParquetFile.open(inMemory(bytes), "x.parquet");
  assert.deepEqual([...file.groups], [40, 1, 19]);
  assert.deepEqual(file.columns, fields);
  assert.deepEqual(file.metadata, { hello: "wörld" });
  const names = fields.map(({ name }) => name);
  const plain = (columns: Record<string, unknown[]>) =>
    JSON.parse(
      JSON.stringify(columns, (_, value) =>
        typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? [...value] : value),
    );
  for (const [from, to] of [[0, 60], [39, 42], [45, 46]] as const) {
    assert.deepEqual(plain(await file.read(names, from, to)), plain(rows(from, to)), `${from} ... ${to}`);
  }
});

Deno.test("equal content gives equal bytes", () => {
  assert.deepEqual(encodeParquet(fields, rows(0, 9)), encodeParquet(fields, rows(0, 9)));
});

Deno.test("columns of unequal length are refused", () => {
  assert.throws(
    () => encodeParquet(fields.slice(0, 2), { on: [true], small: [1, 2] }),
    /^RangeError: Cannot write column "small" of 2 rows: all columns must have 1$/,
  );
});

Deno.test("a file cut off anywhere is refused in one line with its name", async () => {
  const bytes = encodeParquet(fields, rows(0, 9));
  for (const length of [0, 3, 100, bytes.length - 8, bytes.length - 1]) {
    await assert.rejects(
      ParquetFile.open(inMemory(bytes.slice(0, length)), "d/x.parquet"),
      (error: Error) =>
        /^Cannot read d\/x\.parquet as Parquet: it must be a whole file with its footer \(.*\)$/.test(
          error.message,
        ),
      `${length} of ${bytes.length}`,
    );
  }
});

Deno.test("damaged pages and missing columns are refused in one line", async () => {
  const bytes = encodeParquet(fields, rows(0, 500));
  const file = await ParquetFile.open(inMemory(bytes.fill(0xff, 4, 3000)), "x.parquet");
  await assert.rejects(
    file.read(["byte"]),
    (error: Error) =>
      /^Cannot read rows 0 \.\.\. 499 of x\.parquet: its pages must be whole \([^\n]*\)$/.test(error.message),
  );
  await assert.rejects(file.read(["nothing"]), {
    message: `Cannot read column "nothing" of x.parquet: its columns are ${
      fields.map(({ name }) => name).join(", ")
    }`,
  });
});
