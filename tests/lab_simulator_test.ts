/** Simulators outside the repository in stage keys, through the command line. */
import assert from "node:assert/strict";
import { exp, temporary } from "./lab_command.ts";

/** Runs `exp` on a machine with that version of the simulator. */
async function expWith(version: string | undefined, store: string, args: readonly string[]) {
  const name = "UPLIFT_TEST_ORBIT";
  if (version === undefined) Deno.env.delete(name);
  else Deno.env.set(name, version);
  try {
    return await exp([...args, "--experiments", "tests/lab_simulators/", "--store", store, "--json"]);
  } finally {
    Deno.env.delete(name);
  }
}

const run = ["run", "tiny-orbits"];

Deno.test("a stage's key follows its simulator, whatever plan was cached; other stages do not notice", async () => {
  await using folder = await temporary();
  const store = `${folder.path}/store`;
  const states = async (version: string) => {
    const { code, stdout, stderr } = await expWith(version, store, run);
    assert.equal(code, 0, stderr);
    const { stages } = JSON.parse(stdout) as { stages: { name: string; state: string; key: string }[] };
    return Object.fromEntries(stages.map(({ name, state }) => [name, state]));
  };
  assert.deepEqual(await states("1"), { near: "run", far: "run" });
  assert.deepEqual(await states("1"), { near: "hit", far: "hit" });
  assert.deepEqual(await states("2"), { near: "hit", far: "run" });

  const why = JSON.parse((await expWith("2", store, ["why", "tiny-orbits/far"])).stdout);
  assert.deepEqual(why.preimage.runtime.simulator, { orbit: { version: "2", world: "far" } });
  assert.deepEqual(why.differences, [{ field: "runtime.simulator.orbit.version", before: "1", after: "2" }]);
  const near = JSON.parse((await expWith("2", store, ["why", "tiny-orbits/near"])).stdout);
  assert.equal(near.preimage.runtime.simulator, undefined);
  assert.notEqual(
    near.preimage.code,
    why.preimage.code,
    "the module that drives the simulator is in the key",
  );

  assert.deepEqual(await states("1"), { near: "hit", far: "hit" });
  for (const version of ["1", "2"]) {
    const shown = JSON.parse((await expWith(version, store, ["show", "tiny-orbits"])).stdout);
    assert.equal(shown.state, "done");
    const verified = await expWith(version, store, ["verify", "tiny-orbits"]);
    assert.equal(verified.code, 0, verified.stderr);
  }
  assert.equal(JSON.parse((await expWith("3", store, ["show", "tiny-orbits"])).stdout).state, "partly");
});

Deno.test("without its simulator a stage says in one line what mends it; list, show and why still answer", async () => {
  await using folder = await temporary();
  const store = `${folder.path}/store`;
  const failed = await expWith(undefined, store, run);
  assert.equal(failed.code, 1);
  assert.deepEqual(failed.lines, ['Cannot find the orbit simulator: run "install orbit"']);
  for (const args of [["list"], ["show", "tiny-orbits"], ["why", "tiny-orbits/far"]]) {
    const { code, lines } = await expWith(undefined, store, args);
    assert.deepEqual({ args, code, lines }, { args, code: 0, lines: [] });
  }
  const { code, stderr } = await expWith(undefined, store, [...run, "--only", "near"]);
  assert.equal(code, 0, stderr);
  const verified = await expWith(undefined, store, ["verify", "tiny-orbits"]);
  assert.equal(verified.code, 1);
  assert.match(verified.stderr, /run "install orbit"/);
});

Deno.test("gc keeps what was made with a simulator that is not there now", async () => {
  await using folder = await temporary();
  const store = `${folder.path}/store`;
  assert.equal((await expWith("1", store, run)).code, 0);
  const dropped = async (version: string | undefined) => {
    const { code, stdout, stderr } = await expWith(version, store, ["gc"]);
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout).outcomes as { name: string }[]).map(({ name }) => name);
  };
  assert.deepEqual(await dropped(undefined), []);
  assert.deepEqual(await dropped("1"), []);
  assert.deepEqual(await dropped("2"), ["far"], "under another version it is another stage");
});
