import assert from "node:assert/strict";
import { warnings } from "./expectations.ts";

const outcomes = (successes: number, episodes = 50) =>
  Array.from({ length: episodes }, (_, index) => ({
    task: "t",
    index,
    noise: 0,
    success: index < successes,
    length: 10,
  }));
const expected = [{ label: "drawn", near: "base", otherwise: "Look at the noise" }];

Deno.test("warnings() tells of a policy far below the one it should come near", () => {
  const [warning, ...rest] = warnings(expected, [["base", outcomes(30)], ["drawn", outcomes(10)]]);
  assert.deepEqual(rest, []);
  assert.match(
    warning!,
    /^Warning: drawn succeeds in 20\.0 %, base in 60\.0 % \(-40\.0 points \[.*\]\)\. Look at the noise\.$/,
  );
});

Deno.test("warnings() is silent about near, better and undecided ones", () => {
  const about = (base: number, drawn: number, episodes = 50) =>
    warnings(expected, [["base", outcomes(base, episodes)], ["drawn", outcomes(drawn, episodes)]]);
  assert.deepEqual(about(30, 28), []);
  assert.deepEqual(about(30, 45), []);
  assert.deepEqual(about(2, 1, 4), [], "one episode of four");
});

Deno.test("warnings() refuses labels that the report does not have", () => {
  assert.throws(() => warnings(expected, [["base", outcomes(1)]]), {
    message: 'Cannot expect anything of evaluation "drawn": the report has none of that name',
  });
});
