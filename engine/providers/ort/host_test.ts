import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { batches, initialState, shapes, update } from "../../fixtures/small_update.ts";
import { Learner } from "../../learner.ts";
import { compileUpdate } from "../../program.ts";

const options = { provider: "ort", device: "cpu", threads: 1 } as const;

Deno.test("an update leaves the thread free, and calls of other sizes follow one another", async () => {
  await using learner = await Learner.create(compileUpdate(update, shapes), initialState(), options);
  await using reference = await Learner.create(compileUpdate(update, shapes), initialState(), { threads: 1 });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  for (const count of [1, 300, 3]) {
    assert.deepEqual(await learner.update(batches(count)), await reference.update(batches(count)));
  }
  clearInterval(timer);
  assert.ok(ticks > 0, "no timer ran during the updates");
  assert.deepEqual(learner.state, reference.state);
});

Deno.test("a state that was read stays what it is when updates go on", async () => {
  await using learner = await Learner.create(compileUpdate(update, shapes), initialState(), options);
  await learner.update(batches(1));
  const before = learner.state;
  const copy = structuredClone(before);
  await learner.update(batches(2));
  assert.deepEqual(before, copy);
  assert.notDeepEqual({ ...learner.state }, copy);
});

Deno.test("a state that was not read before a later update is refused, not silently a newer one", async () => {
  await using learner = await Learner.create(compileUpdate(update, shapes), initialState(), options);
  const unread = learner.state, [name] = Object.keys(unread);
  await learner.update(batches(1));
  assert.throws(() => unread[name!], {
    message: `Cannot read "${name}" of a state before the last update: read it before updating`,
  });
});

Deno.test("during an update neither another one begins nor the state is read; disposal waits for it", async () => {
  const learner = await Learner.create(compileUpdate(update, shapes), initialState(), options);
  await using reference = await Learner.create(compileUpdate(update, shapes), initialState(), { threads: 1 });
  const unread = learner.state, [name] = Object.keys(unread);
  const running = learner.update(batches(300));
  await assert.rejects(learner.update(batches(1)), {
    message: "Cannot update a learner during an update: await it first",
  });
  assert.throws(() => learner.state, {
    message: "Cannot read the state of a learner during an update: await it first",
  });
  assert.throws(() => unread[name!], /of a state before the last update/);
  await learner[Symbol.asyncDispose]();
  assert.deepEqual(await running, await reference.update(batches(300)));
  assert.deepEqual(learner.state, reference.state);
});

Deno.test("a worker that is ended in the middle of an update does not take the process with it", async () => {
  const here = new URL("../../", import.meta.url).href;
  const worker = `
    const { parentPort } = require("node:worker_threads");
    Promise.all(["learner", "program", "fixtures/small_update"].map((name) => import("${here}" + name + ".ts")))
      .then(async ([{ Learner }, { compileUpdate }, small]) => {
        const program = compileUpdate(small.update, small.shapes);
        const learner = await Learner.create(program, small.initialState(), ${JSON.stringify(options)});
        learner.update(small.batches(20_000));
        parentPort.postMessage("learning");
      });`;
  const script = `
    import { Worker } from "node:worker_threads";
    const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
    await new Promise((resolve) => worker.on("message", resolve));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await worker.terminate();
    const filled = Array.from({ length: 200 }, () => new Float32Array(100_000).fill(1)); // what is freed is used again
    await new Promise((resolve) => setTimeout(resolve, 2000));
    console.log(filled.every((array) => array.every((x) => x === 1)));
    Deno.exit(0);`;
  const command = new Deno.Command(Deno.execPath(), { args: ["eval", script] });
  const { code, stdout, stderr } = await command.output();
  assert.deepEqual(
    [code, new TextDecoder().decode(stdout).trim()],
    [0, "true"],
    new TextDecoder().decode(stderr),
  );
});

Deno.test("learners run in worker threads, one after the other", async () => {
  const script = `
    const { parentPort } = require("node:worker_threads");
    Promise.all(["learner", "program", "fixtures/small_update"].map((name) => import("${
    new URL("../../", import.meta.url).href
  }" + name + ".ts"))).then(async ([{ Learner }, { compileUpdate }, small]) => {
      const learner = await Learner.create(compileUpdate(small.update, small.shapes), small.initialState(), ${
    JSON.stringify(options)
  });
      await learner.update(small.batches(2));
      const sum = Object.values(learner.state).reduce((total, { data }) => total + data.reduce((a, b) => a + b, 0), 0);
      await learner[Symbol.asyncDispose]();
      parentPort.postMessage(sum);
    });`;
  const sums: number[] = [];
  for (let i = 0; i < 2; i++) {
    const worker = new Worker(script, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 512 } });
    sums.push(
      await new Promise((resolve, reject) => {
        worker.on("message", resolve);
        worker.on("error", reject);
      }),
    );
    await worker.terminate();
  }
  assert.ok(Number.isFinite(sums[0]));
  assert.equal(sums[0], sums[1]);
});
