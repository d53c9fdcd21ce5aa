/** What follows from an edit, and what does not: keys between checkouts and after changes. */
import assert from "node:assert/strict";
import { ALL_HIT, clone, exp, run, start, states, temporary, TINY } from "./lab_command.ts";

Deno.test("two checkouts, two stores, one and two jobs: the same result; all stages verify bitwise", async () => {
  await using other = await clone();
  await using folder = await temporary();
  const here = await run(folder.path, ["--preset", "smoke", "--jobs", "1"]);
  const there = await run(other.store, ["--preset", "smoke", "--jobs", "2"], other.root);
  assert.equal(there.result, here.result);
  assert.deepEqual(there.stages.map(({ key }) => key), here.stages.map(({ key }) => key));
  const args = ["verify", "tiny-walks", ...TINY, "--preset", "smoke", "--store", folder.path, "--json"];
  const { code, stdout } = await exp(args);
  assert.equal(code, 0);
  const { outputs } = JSON.parse(stdout) as { outputs: { stage: string; verdict: string }[] };
  assert.deepEqual(outputs.map(({ stage, verdict }) => `${stage} ${verdict}`), [
    "widths bitwise",
    "left bitwise",
    "right bitwise",
    "summary bitwise",
    "summary bitwise",
  ]);
});

Deno.test("a comment reruns nothing, a constant exactly the stages that reach it, and `why` names it", async () => {
  await using repo = await clone();
  await run(repo.store, [], repo.root);
  for (
    const path of ["tests/lab_stages/rounding.ts", "tests/lab_stages/walk.ts", "random.ts", "lab/runner.ts"]
  ) {
    await repo.edit(path, (text) => `/* A comment. */\n\n${text}\n// The end\n`);
  }
  assert.deepEqual(states(await run(repo.store, [], repo.root)), ALL_HIT);
  await repo.edit("tests/lab_stages/rounding.ts", (text) => text.replace("DIGITS = 6", "DIGITS = 5"));
  const why = ["why", "tiny-walks/summary", ...TINY, "--store", repo.store, "--json"];
  const { differences, stored } = JSON.parse((await exp(why, repo.root)).stdout);
  assert.deepEqual(differences.map(({ field }: { field: string }) => field), [
    "code tests/lab_stages/rounding.ts",
  ]);
  assert.equal(stored, false);
  assert.deepEqual(states(await run(repo.store, [], repo.root)), { ...ALL_HIT, summary: "run" });
});

Deno.test("gc keeps what was asked for and drops what nothing reaches", async () => {
  await using repo = await clone();
  await run(repo.store, ["--set", "learner.gamma=0.5"], repo.root);
  const gc = async (...args: string[]) => {
    const { code, stdout, stderr } = await exp(
      ["gc", ...TINY, "--store", repo.store, "--json", ...args],
      repo.root,
    );
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as { outcomes: { name: string }[]; objects: string[] };
  };
  assert.deepEqual((await gc()).outcomes, []);
  await repo.edit("tests/lab_stages/rounding.ts", (text) => text.replace("DIGITS = 6", "DIGITS = 5"));
  assert.deepEqual((await gc()).outcomes.map(({ name }) => name), ["summary"]);
  assert.equal((await gc("--yes")).objects.length, 2);
  assert.deepEqual((await gc()).outcomes, []);
  assert.equal((await exp(["fsck", "--store", repo.store])).code, 0);
});

Deno.test("a file saved between planning and loading ends the stage: no outcome under a wrong key", async () => {
  await using repo = await clone();
  const slow = ["--set", "learner.steps=100", "--set", "learner.pauseMs=10", "--jobs", "2"];
  const args = ["run", "tiny-walks", ...TINY, "--store", repo.store, ...slow];
  const running = start(args, repo.root);
  await new Promise((resolve) => setTimeout(resolve, 800));
  await repo.edit("tests/lab_stages/rounding.ts", (text) => text.replace("DIGITS = 6", "DIGITS = 5"));
  const { code, stderr } = await running.ended;
  assert.equal(code, 1);
  assert.match(
    stderr,
    /stage "summary": tests\/lab_stages\/rounding\.ts changed after the run was planned, start it again/,
  );
  assert.deepEqual(states(await run(repo.store, slow, repo.root)), { ...ALL_HIT, summary: "run" });
});
