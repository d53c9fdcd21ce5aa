import assert from "node:assert/strict";
import { add, cast, gather, mean } from "@tensorflow/tfjs-core";
import { assertClose, eager } from "./fixtures/oracle.ts";
import { batches, initialState, shapes, single, update } from "./fixtures/small_update.ts";
import { Learner } from "./learner.ts";
import { compileUpdate } from "./program.ts";
import { ndarray, type Tensors } from "../ndarray.ts";

const program = compileUpdate(update, shapes);

function equalBits(actual: Tensors, wanted: Tensors): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(wanted).sort());
  for (const [name, { shape, data }] of Object.entries(wanted)) {
    assert.deepEqual([...actual[name]!.shape], [...shape], name);
    assert.deepEqual(actual[name]!.data, data, name);
  }
}

Deno.test("one traced update equals the eager one", async () => {
  const wanted = await eager((inputs) => {
    const state = Object.fromEntries(Object.keys(shapes.state).map((name) => [name, inputs[name]!]));
    const batch = Object.fromEntries(
      Object.keys(shapes.batch).map((name) => [name, inputs[`batch/${name}`]!]),
    );
    const next = update(state, batch);
    const metrics = Object.entries(next.metrics).map(([name, metric]) => [`metrics/${name}`, metric]);
    return { ...next.state, ...Object.fromEntries(metrics) };
  }, {
    ...initialState(),
    ...Object.fromEntries(
      Object.entries(batches(1)).map((
        [name, { shape, data }],
      ) => [`batch/${name}`, { shape: shape.slice(1), data }]),
    ),
  });
  await using learner = await Learner.create(program, initialState());
  const metrics = await learner.update(batches(1));
  assertClose(
    learner.state,
    Object.fromEntries(Object.keys(shapes.state).map((name) => [name, wanted[name]!])),
    1e-5,
  );
  for (const [name, metric] of Object.entries(metrics)) {
    assertClose({ metric: { shape: [], data: metric.data } }, { metric: wanted[`metrics/${name}`]! }, 1e-5);
  }
});

Deno.test("one call of K updates equals K calls of one, bit for bit", async () => {
  const all = batches(7);
  await using together = await Learner.create(program, initialState());
  await using apart = await Learner.create(program, initialState());
  const metrics = await together.update(all);
  const losses: number[] = [];
  for (let i = 0; i < 7; i++) losses.push((await apart.update(single(all, i)))["critic/loss"]!.data[0]!);
  equalBits(together.state, apart.state);
  assert.deepEqual([...metrics["critic/loss"]!.shape], [7]);
  assert.deepEqual([...metrics["critic/loss"]!.data], losses);
  assert.equal(together.state["step"]!.data[0], 7);
});

Deno.test("one and two threads give the same bits", async () => {
  await using one = await Learner.create(program, initialState(), { threads: 1 });
  await using two = await Learner.create(program, initialState(), { threads: 2 });
  equalBits(await one.update(batches(3)), await two.update(batches(3)));
  equalBits(one.state, two.state);
});

Deno.test("Learner.create() names the state tensor that does not fit", async () => {
  const { step: _step, ...rest } = initialState();
  await assert.rejects(Learner.create(program, rest), /without state "step": pass it as \[\]/);
  await assert.rejects(
    Learner.create(program, { ...initialState(), extra: { shape: [], data: new Float32Array(1) } }),
    /unknown state "extra"/,
  );
  await assert.rejects(
    Learner.create(program, { ...initialState(), step: { shape: [2], data: new Float32Array(2) } }),
    /"step" of \[2\]: it must be \[\]/,
  );
});

Deno.test("update() names the batch tensor that does not fit", async () => {
  await using learner = await Learner.create(program, initialState());
  const { noise, ...rest } = batches(2);
  await assert.rejects(learner.update(rest), /without input "batch\/noise"/);
  await assert.rejects(
    learner.update({ ...rest, noise: single({ noise: noise! }, 0)["noise"]! }),
    /other batches hold/,
  );
  await assert.rejects(learner.update({ ...batches(2), more: noise! }), /unknown input "batch\/more"/);
  const flat = { shape: [2, 4], data: new Float32Array(8) };
  await assert.rejects(
    learner.update({ ...rest, noise: flat }),
    /"batch\/noise" of \[2,4\]: it must be \[K,8,2\]/,
  );
});

Deno.test("compileUpdate() refuses state that changes its form", () => {
  const of = (result: Parameters<typeof compileUpdate>[0]) =>
    compileUpdate(result, { state: { w: [2] }, batch: { x: [2] } });
  assert.throws(() => of(() => ({ state: {}, metrics: {} })), /state "w": the update does not return it/);
  assert.throws(
    () => of(({ w }) => ({ state: { w: mean(w!) }, metrics: {} })),
    /returns \[\], it must stay \[2\]/,
  );
  assert.throws(
    () => of(({ w }) => ({ state: { w: w!, v: w! }, metrics: {} })),
    /"v": the update was given no such/,
  );
  assert.throws(
    () => compileUpdate(({ w }) => ({ state: { w: w! }, metrics: {} }), { state: { w: [] }, batch: {} }),
    /without batch tensors/,
  );
});

Deno.test("state that an update hands through, swaps or sets to a constant is carried", async () => {
  const swap = compileUpdate(
    ({ a, b, c }, { x }) => ({ state: { a: b!, b: a!, c: c! }, metrics: { x: x! } }),
    {
      state: { a: [2], b: [2], c: [] },
      batch: { x: [] },
    },
  );
  const array = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) });
  await using learner = await Learner.create(swap, {
    a: array(1, 2),
    b: array(3, 4),
    c: { shape: [], data: Float32Array.of(5) },
  });
  const metrics = await learner.update({ x: array(7, 8, 9) });
  assert.deepEqual([...learner.state["a"]!.data, ...learner.state["b"]!.data], [3, 4, 1, 2]);
  assert.deepEqual([...metrics["x"]!.data, ...learner.state["c"]!.data], [7, 8, 9, 5]);
});

for (const provider of ["cpu", "ort"]) {
  Deno.test(`what an update that failed leaves behind is refused, by provider ${provider}`, async () => {
    const failing = compileUpdate(({ w }, { row }) => ({
      state: { w: add(w!, mean(gather(w!, cast(row!, "int32")))) },
      metrics: {},
    }), { state: { w: [4] }, batch: { row: [1] } });
    const rows = (...values: number[]) => ({ row: ndarray([values.length, 1], Float32Array.from(values)) });
    const learner = await Learner.create(failing, { w: ndarray([4]) }, { threads: 1, provider });
    await learner.update(rows(0, 3));
    await assert.rejects(learner.update(rows(1, 4)), /out of data bounds/);
    const refused = /after an update that failed: create it again from an earlier state$/;
    assert.throws(() => learner.state, refused);
    await assert.rejects(learner.update(rows(0)), refused);
    await learner[Symbol.asyncDispose]();
    assert.throws(() => learner.state, refused);
  });
}

Deno.test("a concurrent learner leaves its thread free and gives the same bits, whatever provider serves it", async () => {
  await using beside = await Learner.create(program, initialState(), { threads: 1, concurrent: true });
  await using alone = await Learner.create(program, initialState(), { threads: 1 });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const metrics = await beside.update(batches(300));
  clearInterval(timer);
  assert.ok(ticks > 0, "no timer ran during the update");
  equalBits(metrics, await alone.update(batches(300)));
  equalBits(beside.state, alone.state);
});
