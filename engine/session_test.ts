import assert from "node:assert/strict";
import { matMul, mul, tanh } from "@tensorflow/tfjs-core";
import { array } from "./fixtures/oracle.ts";
import { compile } from "./program.ts";
import { Session } from "./session.ts";

const program = compile(({ x, w }) => ({ y: tanh(matMul(x!, w!)), twice: mul(x!, 2) }), {
  x: [1, 2],
  w: [2, 2],
});
const inputs = { x: array([1, 2], 1, 2), w: array([2, 2], 1, 0, 0, 1) };

Deno.test("run() returns the outputs by name, in their shapes", async () => {
  await using session = await Session.create(program);
  const { y, twice } = await session.run(inputs);
  assert.deepEqual([...y!.shape], [1, 2]);
  assert.ok(Math.abs(y!.data[1]! - Math.tanh(2)) < 1e-6);
  assert.deepEqual([...twice!.data], [2, 4]);
});

Deno.test("run() makes new arrays and leaves its inputs alone", async () => {
  await using session = await Session.create(program);
  const [first, second] = [await session.run(inputs), await session.run(inputs)];
  assert.notEqual(first["y"]!.data, second["y"]!.data);
  assert.deepEqual(first, second);
  assert.deepEqual([...inputs.x.data], [1, 2]);
});

Deno.test("run() names the input that is missing, unknown or misshapen", async () => {
  await using session = await Session.create(program);
  await assert.rejects(session.run({ x: inputs.x }), /without input "w": pass it as \[2,2\]/);
  await assert.rejects(session.run({ ...inputs, z: inputs.x }), /unknown input "z": its inputs are x, w/);
  await assert.rejects(
    session.run({ ...inputs, x: array([2, 1], 1, 2) }),
    /"x" of \[2,1\]: it must be \[1,2\]/,
  );
  const short = { shape: [1, 2], data: new Float32Array(1) };
  await assert.rejects(session.run({ ...inputs, x: short }), /"x" of 1 elements: \[1,2\] needs 2/);
  const doubles = { shape: [1, 2], data: new Float64Array(2) as unknown as Float32Array };
  await assert.rejects(
    session.run({ ...inputs, x: doubles }),
    /"x" of Float64Array: it must be a Float32Array/,
  );
});

Deno.test("a disposed session refuses to run, and may be disposed again", async () => {
  const session = await Session.create(program);
  await session[Symbol.asyncDispose]();
  await session[Symbol.asyncDispose]();
  await assert.rejects(session.run(inputs), /Cannot run a disposed session/);
});

Deno.test("create() wants a positive number of threads", async () => {
  await assert.rejects(
    Session.create(program, { threads: 0 }),
    /on 0 threads: it must be a positive integer/,
  );
  await assert.rejects(Session.create(program, { threads: 1.5 }), RangeError);
});
