import assert from "node:assert/strict";
import type { Plan } from "./plan.ts";
import { POINTS, ProgressFile, type RunProgress } from "./progress_file.ts";
import type { Reporter } from "./runner.ts";
import { Store } from "./store.ts";

const plan = {
  experiment: "walks",
  definition: "ab".repeat(32),
  seed: 3,
  version: 1,
  stages: [{}, {}],
} as unknown as Plan;

function silent() {
  const heard: string[] = [];
  const reporter: Reporter = {
    started: (stage) => heard.push(`started ${stage}`),
    progress: (stage, { done }) => heard.push(`${stage} ${done}`),
    waiting: (stage) => heard.push(`waiting ${stage}`),
    finished: ({ name }) => heard.push(`finished ${name}`),
    note: (line) => heard.push(line),
  };
  return { heard, reporter };
}

function temporaryStore() {
  const directory = Deno.makeTempDirSync({ prefix: "uplift-progress-" });
  const store = Store.open(directory);
  const read = (): RunProgress =>
    JSON.parse(Deno.readTextFileSync(`${directory}/progress/${plan.definition}-3.json`));
  return {
    store,
    directory,
    read,
    [Symbol.dispose]: () => {
      store[Symbol.dispose]();
      Deno.removeSync(directory, { recursive: true });
    },
  };
}

const ended = {
  entry: "x.ts",
  key: "k",
  seconds: 1,
  budget: { environmentSteps: 0, gradientSteps: 0 },
  outputs: {},
};

Deno.test("ProgressFile writes nothing while all is in the store", () => {
  using at = temporaryStore();
  const { reporter, heard } = silent();
  {
    using progress = new ProgressFile(plan, at.store, reporter);
    progress.finished({ name: "left", state: "hit", ...ended });
  }
  assert.deepEqual(heard, ["finished left"]);
  assert.throws(at.read, Deno.errors.NotFound);
  assert.equal(at.store.run(plan), undefined);
});

Deno.test("ProgressFile tells what runs, records the run, and says when it ended", () => {
  using at = temporaryStore();
  const { reporter, heard } = silent();
  {
    using progress = new ProgressFile(plan, at.store, reporter);
    progress.finished({ name: "left", state: "hit", ...ended });
    progress.started("right", "k2");
    const during = at.read();
    assert.equal(during.ended, false);
    assert.deepEqual(during.stages.map(({ name, state, key }) => [name, state, key]), [
      ["left", "hit", "k"],
      ["right", "running", "k2"],
    ]);
    assert.deepEqual(at.store.run(plan)?.keys, {});
    progress.progress("right", { done: 5, total: 10, unit: "steps", success: 0.5 });
    progress.finished({ name: "right", state: "failed", ...ended, error: "Cannot go right" });
    const [, right] = at.read().stages;
    assert.deepEqual([right!.state, right!.error, right!.history], ["failed", "Cannot go right", [[5, 0.5]]]);
  }
  assert.equal(at.read().ended, true);
  assert.deepEqual(heard, ["finished left", "started right", "right 5", "finished right"]);
});

Deno.test("ProgressFile keeps a bounded history from first to last", () => {
  using at = temporaryStore();
  {
    using progress = new ProgressFile(plan, at.store, silent().reporter);
    progress.started("right", "k");
    for (let done = 0; done < 5000; done++) {
      progress.progress("right", { done, total: 5000, unit: "steps", success: done / 5000 });
    }
  }
  const history = at.read().stages[0]!.history!;
  assert.ok(history.length <= POINTS && history.length >= POINTS / 2, String(history.length));
  assert.deepEqual(history[0], [0, 0]);
  assert.ok(history.every(([done], i) => i === 0 || done > history[i - 1]![0]));
});

Deno.test("ProgressFile does not fail a run whose store cannot be written", () => {
  using at = temporaryStore();
  Deno.writeTextFileSync(`${at.directory}/progress`, "in the way");
  using progress = new ProgressFile(plan, at.store, silent().reporter);
  progress.started("right", "k");
  progress.progress("right", { done: 1, total: 2, unit: "steps" });
});
