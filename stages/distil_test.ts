import assert from "node:assert/strict";
import { normalize } from "../data/normalization.ts";
import { decodeTable } from "../data/table.ts";
import { Learner } from "../engine/learner.ts";
import type { Tensors } from "../ndarray.ts";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, episodesOf, tasks, tinyBase } from "../tests/tabletop_subjects.ts";
import { readPolicy } from "./chunked_base.ts";
import * as distil from "./distil.ts";
import { windows } from "./windows.ts";

const base = await tinyBase(), BATCH = 8;
const shown = await demonstrations(2), collected = await demonstrations(5);
const flow = { steps: 60, batch: BATCH, width: 16, layers: 2, warmup: 5, ema: 0.9 };

const run = (demonstrationShare: number, conditions: Conditions = {}, learning: object = {}) =>
  attempt(
    distil,
    { ...base, episodes: [collected], demonstrations: [shown] },
    { tasks, demonstrationShare, flow: { ...flow, ...learning } },
    conditions,
  );

/** The batches a learner is fed while `f` runs. */
async function fed(f: () => Promise<unknown>): Promise<Tensors[]> {
  const update = Learner.prototype.update, batches: Tensors[] = [];
  Learner.prototype.update = function (batch) {
    batches.push(batch);
    return update.call(this, batch);
  };
  try {
    await f();
  } finally {
    Learner.prototype.update = update;
  }
  return batches;
}

Deno.test("distil resumes to the bytes of an uninterrupted run", async () => {
  const whole = await run(0.25);
  for (const interruptAt of [1, 2]) {
    const stopped = await run(0.25, { interruptAt });
    assert.ok(stopped.interrupted);
    const resumed = await run(0.25, { checkpoint: stopped.checkpoints.at(-1) });
    assert.deepEqual(digests(resumed), digests(whole));
  }
  const { gradient_steps } = decodeTable(await Deno.readFile(whole.output.losses.path));
  assert.deepEqual([...gradient_steps as Int32Array], [50, 60]);
});

for (const [share, first] of [[0, 0], [0.1, 1], [0.25, 2], [0.9, 7]] as const) {
  Deno.test(`distil takes ${first} of each batch of 8 from the demonstrations for a share of ${share}`, async () => {
    const { normalization } = await readPolicy(base.weights, base.normalization);
    const cut = windows(await episodesOf(collected), { order: tasks, horizon: 8 });
    const own = windows(await episodesOf(shown), { order: tasks, horizon: 8 });
    const rows = ({ data }: { data: Float32Array }, width: number) =>
      Array.from({ length: data.length / width }, (_, i) => data.slice(i * width, (i + 1) * width).join());
    const pair = (set: typeof cut) => {
      const seen = rows(normalize(normalization.features, set.features), 20);
      const chunks = rows(normalize(normalization.actions, set.chunks), 8 * 7);
      return new Set(seen.map((x, i) => `${x}|${chunks[i]}`));
    };
    const [batches] = await fed(() => run(share));
    const seen = rows(batches!.features!, 20), chunks = rows(batches!.actions!, 8 * 7);
    assert.equal(seen.length, 50 * BATCH);
    // The two demonstrations are the first two collected episodes: a row of theirs lies in both sets.
    const [demonstrated, all] = [pair(own), pair(cut)];
    const behind: boolean[] = [];
    seen.forEach((x, i) => {
      const row = `${x}|${chunks[i]}`;
      if (i % BATCH < first) assert.ok(demonstrated.has(row), `row ${i} is a demonstration's`);
      else behind.push(demonstrated.has(row));
      assert.ok(all.has(row));
    });
    assert.ok(behind.some((x) => !x), "the rest comes from the collected episodes");
  });
}

Deno.test("distil needs no demonstrations for a share of 0, and keeps the base's normalization", async () => {
  const parameters = { tasks, demonstrationShare: 0, flow };
  const bare = await attempt(distil, { ...base, episodes: [collected], demonstrations: [] }, parameters);
  assert.deepEqual(digests(bare), digests(await run(0)));
  assert.equal(bare.output.normalization.digest, base.normalization.digest);
});

Deno.test("distil starts from the given weights", async () => {
  const start = await readPolicy(base.weights, base.normalization);
  const { output } = await run(0.1, {}, { steps: 1, learningRate: 1e-9 });
  const { weights } = await readPolicy(output.weights, output.normalization);
  assert.deepEqual(Object.keys(weights).sort(), Object.keys(start.weights).sort());
  for (const [name, { data }] of Object.entries(weights)) {
    data.forEach((x, i) => assert.ok(Math.abs(x - start.weights[name]!.data[i]!) < 1e-6, name));
  }
});
