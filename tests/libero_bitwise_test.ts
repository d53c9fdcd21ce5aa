/**
 * The worker gives LIBERO's own bytes, sooner, and the same ones whatever ran before. By default on two tasks of each
 * suite in this machine's data (at most two suites); with `UPLIFT_LIBERO=all` on all tasks of all suites, some
 * minutes a suite. Skipped, with the reason in its name, only where LIBERO is not set up.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { installation, Process, randomActions, runStock, type ScriptedEpisode } from "./libero_episodes.ts";

const found = installation();
const all = Deno.env.get("UPLIFT_LIBERO") === "all";
const skipped = typeof found === "string" ? ` (skipped: ${found})` : "";
const here = typeof found === "string" ? undefined! : found;
const present = skipped ? [] : readdirSync(join(here.root, "bddl_files")).sort().reverse();
const suites = all ? present : present.slice(0, 2);
const steps = 200;

function test(name: string, run: () => Promise<void>): void {
  Deno.test({ name: `${name}${skipped}`, ignore: skipped !== "", fn: run });
}

/** The tasks a test takes: every fourth from the first, so that one of each suite has a drawer or a door, or all. */
function chosen(tasks: readonly string[]): readonly string[] {
  return all ? tasks : [tasks[0]!, tasks[4] ?? tasks.at(-1)!];
}

/** An evaluation and a training episode of the `n`th task. */
function episodesOf(task: string, n: number, length = steps): ScriptedEpisode[] {
  const actions = randomActions(task, length);
  return [
    { task, state: { split: "evaluation", index: n }, seed: 1000 + n, actions },
    { task, state: { split: "training", index: n }, seed: 2000 + n, actions: actions.slice(0, length / 8) },
  ];
}

if (skipped) test("libero: the bytes of the worker", () => Promise.resolve());

for (const suite of suites) {
  test(`${suite}: after every action the worker has the bytes of LIBERO's own environment`, async () => {
    await using worker = await Process.open(here, suite);
    const episodes = chosen(worker.tasks).flatMap((task, n) => episodesOf(task, n));
    const stock = runStock(here, suite, episodes);
    for (const [n, episode] of episodes.entries()) {
      const trace = await worker.run(episode);
      const wanted = (await stock)[n]!;
      const where = `${episode.task}, ${episode.state.split}`;
      assert.equal(trace.hashes.findIndex((hash, i) => hash !== wanted.hashes[i]), -1, where);
      assert.equal(trace.hashes.length, wanted.hashes.length);
      assert.deepEqual(trace.success, wanted.success, where);
    }
  });

  test(`${suite}: the bytes do not depend on process, other tasks, kind of reset or replay`, async () => {
    await using first = await Process.open(here, suite);
    await using second = await Process.open(here, suite);
    await using hard = await Process.open(here, suite, { fast: false });
    const tasks = chosen(first.tasks);
    const [episodes, others] = [tasks, [...tasks].reverse()].map((names) =>
      names.flatMap((task) => episodesOf(task, tasks.indexOf(task), 8))
    );
    const [traces] = await Promise.all([
      Promise.all([first, hard].map(async (process) => {
        const seen = [];
        for (const episode of [...episodes!, ...episodes!]) seen.push(await process.run(episode));
        return seen;
      })),
      // Meanwhile the other process meets the same episodes in another order, and each twice.
      (async () => {
        for (const episode of others!) await second.run(episode);
      })(),
    ]);
    const [soft, loaded] = traces!;
    assert.deepEqual(loaded, soft, "hard resets");
    assert.deepEqual(soft!.slice(episodes!.length), soft!.slice(0, episodes!.length), "a second time");
    for (const [n, episode] of episodes!.entries()) {
      const { header } = await second.reset(episode, episode.actions);
      assert.equal(header.done_replay, episode.actions.length);
      assert.equal(header.hash, soft![n]!.hashes.at(-1), "replayed in another process");
    }
  });
}

test("libero: pictures are the same in every process and after other tasks, and change no byte of the state", async () => {
  const cameras: [string, number, number][] = [["agentview", 48, 32], ["robot0_eye_in_hand", 32, 32]];
  const suite = suites[0]!;
  await using blind = await Process.open(here, suite);
  await using first = await Process.open(here, suite, { cameras });
  await using second = await Process.open(here, suite, { cameras });
  const [task, other] = chosen(first.tasks).map((name, n) => episodesOf(name, n, 8)[0]!);
  const pictures = async (process: Process) => {
    const reset = await process.reset(task!);
    const step = await process.step(task!.actions[0]!);
    assert.deepEqual(reset.arrays["image/agentview"]!.shape, [32, 48, 3]);
    return [reset, step];
  };
  const [a, b] = await Promise.all([
    pictures(first),
    second.reset(other!).then(() => pictures(second)),
  ]);
  assert.deepEqual(b.map(({ arrays }) => arrays), a.map(({ arrays }) => arrays));
  assert.notDeepEqual(a[1]!.arrays["image/agentview"]!.data, a[0]!.arrays["image/agentview"]!.data);
  assert.equal(
    (await blind.run({ ...task!, actions: task!.actions.slice(0, 1) })).hashes[1],
    a[1]!.header.hash,
  );
  const top = a[0]!.arrays["image/agentview"]!.data;
  assert.ok(new Set(top).size > 16, "a picture, not one color");
});
