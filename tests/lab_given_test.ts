/** Objects that a graph names by digest: the same keys as if a stage had made them, and every verb knows of them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { given } from "../lab/experiment.ts";
import { exp, type RunDocument, states, temporary } from "./lab_command.ts";

const GIVEN = ["--experiments", "tests/lab_given/"];

async function stored() {
  const folder = await temporary();
  const ask = async (store: string, verb: string, ...args: string[]) => {
    const ended = await exp([verb, ...args, ...GIVEN, "--store", join(folder.path, store), "--json"]);
    return { ...ended, document: ended.stdout === "" ? undefined : JSON.parse(ended.stdout) };
  };
  const drawn: RunDocument = (await ask("store", "run", "tiny-given")).document;
  const digest = drawn.stages.find(({ name }) => name === "widths")!.outputs.numbers!.digest;
  return {
    ...folder,
    ask,
    drawn,
    digest,
    object: join("objects/sha256", digest.slice(7, 9), digest.slice(9)),
  };
}

Deno.test("a given object has the place of the stage that made it in keys; show, why and verify answer", async () => {
  await using t = await stored();
  const set = ["--set", `widths=${t.digest}`];
  const { code, stderr, document: made } = await t.ask("store", "run", "tiny-given", ...set);
  assert.equal(code, 0, stderr);
  assert.deepEqual(states(made), { walk: "hit", summary: "run" });
  assert.equal(made.stages[0].key, t.drawn.stages.find(({ name }) => name === "walk")!.key);
  const bare = (await t.ask("store", "run", "tiny-given", "--set", `widths=${t.digest.slice(7)}`)).document;
  assert.equal(bare.stages[0].key, made.stages[0].key, "with or without sha256:");

  const { document: shown } = await t.ask("store", "show", "tiny-given", ...set);
  assert.deepEqual(shown.stages[0].inputs, { numbers: { given: t.digest, kind: "document" } });
  assert.equal(shown.state, "done");
  const { document: why } = await t.ask("store", "why", "tiny-given/summary", ...set);
  assert.equal(why.preimage.inputs.paths[1], t.digest);
  const verified = await t.ask("store", "verify", "tiny-given", ...set);
  assert.equal(verified.code, 0, verified.stderr);
});

Deno.test("an object that is not there, is damaged or is no digest is named in one line", async () => {
  await using t = await stored();
  const absent = `sha256:${"0".repeat(64)}`;
  const refused = async (digest: string) =>
    (await t.ask("store", "run", "tiny-given", "--set", `widths=${digest}`)).lines.at(-1) ?? "";
  assert.equal(
    await refused(absent),
    `Cannot find document ${absent}: this store has no such object; exp show NAME lists the digests of what a run ` +
      "made, exp import takes them from elsewhere",
  );
  assert.match(
    await refused("abc"),
    /^Cannot read document "abc": name an object by sha256: and 64 hexadecimal/,
  );
  const path = join(t.path, "store", t.object);
  await Deno.chmod(path, 0o644);
  await Deno.writeTextFile(path, "[1]");
  assert.match(
    await refused(t.digest),
    /^Cannot read document sha256:\w+: its bytes do not match, run exp fsck$/,
  );
});

Deno.test("gc keeps what a remembered run was given, and drops it with the run", async () => {
  await using t = await stored();
  const set = ["--set", `widths=${t.digest}`, "--set", "steps=33"];
  assert.equal((await t.ask("store", "run", "tiny-given", ...set)).code, 0);
  // Of the widths only the object is left, as after an import.
  const { key } = t.drawn.stages.find(({ name }) => name === "widths")!;
  await Deno.remove(join(t.path, "store/outcomes", key), { recursive: true });
  const collect = async () => (await t.ask("store", "gc", "--yes")).document.objects as string[];
  assert.ok(!(await collect()).includes(t.digest));
  await Deno.stat(join(t.path, "store", t.object));
  for (const folder of ["runs", "history"]) {
    await Deno.remove(join(t.path, "store", folder), { recursive: true });
  }
  assert.ok((await collect()).includes(t.digest));
});

Deno.test("an export carries what its stages were given, an import refuses one without it", async () => {
  await using t = await stored();
  const set = ["--set", `widths=${t.digest}`];
  await t.ask("store", "run", "tiny-given", ...set);
  const folder = join(t.path, "export");
  assert.equal((await t.ask("store", "export", "tiny-given", folder, ...set)).code, 0);
  const taken = await t.ask("other", "import", folder);
  assert.equal(taken.code, 0, taken.stderr);
  const again = (await t.ask("other", "run", "tiny-given", ...set)).document;
  assert.deepEqual(states(again), { walk: "hit", summary: "hit" });
  // The object itself, not only what was made from it.
  const more = await t.ask("other", "run", "tiny-given", ...set, "--set", "steps=21");
  assert.equal(more.code, 0, more.stderr);

  const sums = join(folder, "checksums.sha256");
  const hex = t.digest.slice(7);
  const lines = (await Deno.readTextFile(sums)).split("\n");
  const line = lines.find((each) => each.startsWith(hex))!;
  await Deno.remove(join(folder, line.slice(66)));
  await Deno.writeTextFile(sums, lines.filter((each) => each !== line).join("\n"));
  const bad = await t.ask("third", "import", folder);
  assert.equal(bad.lines.at(-1), `Cannot import ${folder}: what stage "walk" was given is missing`);
});

Deno.test("given() takes digests with and without their prefix", () => {
  const hex = "ab".repeat(32);
  assert.deepEqual(given("weights", hex), { given: `sha256:${hex}`, kind: "weights" });
  assert.deepEqual(given("weights", `sha256:${hex}`), given("weights", hex));
  assert.throws(() => given("weights", hex.toUpperCase()), RangeError);
});
