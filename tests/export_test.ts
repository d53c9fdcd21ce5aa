/** `exp export` and `exp import`: the same hashes in another store, and nothing of a folder that is not whole. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { checksums, fileDigest, FILES, filesOf } from "../lab/bundle.ts";
import { importRuns } from "../lab/import.ts";
import { seal, unseal } from "../lab/sealed.ts";
import { Store } from "../lab/store.ts";
import { ALL_HIT, exp, run, type RunDocument, states, temporary, TINY } from "./lab_command.ts";

const SMOKE = ["--preset", "smoke"];

let made: RunDocument;
let original: Awaited<ReturnType<typeof temporary>>;

Deno.test.beforeAll(async () => {
  original = await temporary();
  const store = join(original.path, "store");
  made = await run(store, SMOKE);
  const target = join(original.path, "export");
  const { code, stderr } = await exp(["export", "tiny-walks", target, ...SMOKE, ...TINY, "--store", store]);
  assert.equal(code, 0, stderr);
});

Deno.test.afterAll(() => original[Symbol.asyncDispose]());

/** A copy of a store, an export of its smoke run, and room for another store. */
async function exported() {
  const folder = await temporary();
  for (const path of filesOf(original.path)) {
    await Deno.mkdir(dirname(join(folder.path, path)), { recursive: true });
    await Deno.copyFile(join(original.path, path), join(folder.path, path));
    await Deno.chmod(join(folder.path, path), 0o644);
  }
  const [store, target, other] = ["store", "export", "other"].map((name) => join(folder.path, name));
  return { ...folder, store: store!, target: target!, made, other: other! };
}

/** Files of a folder with their digests. */
const digests = (folder: string) => filesOf(folder).map((path) => [path, fileDigest(join(folder, path))]);

Deno.test("what is exported and imported elsewhere has the same hashes, and run finds it", async () => {
  await using t = await exported();
  const { code, stdout, stderr } = await exp(["import", t.target, "--store", t.other, "--json"]);
  assert.equal(code, 0, stderr);
  const { runs, added, known } = JSON.parse(stdout);
  assert.deepEqual([runs[0].result, added.length, known.length], [t.made.result, 4, 0]);
  const again = await run(t.other, SMOKE);
  assert.deepEqual(states(again), ALL_HIT);
  assert.equal(again.result, t.made.result);
  assert.deepEqual(again.stages.map(({ key }) => key), t.made.stages.map(({ key }) => key));
  assert.equal((await exp(["fsck", "--store", t.other])).code, 0);
  const twice = JSON.parse((await exp(["import", t.target, "--store", t.other, "--json"])).stdout);
  assert.deepEqual([twice.added.length, twice.known.length], [0, 4]);
});

Deno.test("exports of one run are equal in every byte, from any store; an archive holds the same", async () => {
  await using t = await exported();
  await exp(["import", t.target, "--store", t.other]);
  const again = join(t.path, "again");
  await exp(["export", t.made.result!.slice(0, 12), again, ...TINY, "--store", t.other]);
  assert.deepEqual(digests(again), digests(t.target));
  const archive = join(t.path, "run.tar.zst");
  assert.equal((await exp(["export", t.made.definition, archive, ...TINY, "--store", t.store])).code, 0);
  const second = join(t.path, "second.tar.zst");
  await exp(["export", t.made.definition, second, ...TINY, "--store", t.other]);
  assert.equal(fileDigest(second), fileDigest(archive));
  const third = join(t.path, "third");
  const { code, stderr } = await exp(["import", archive, "--store", third]);
  assert.equal(code, 0, stderr);
  assert.equal((await run(third, SMOKE)).result, t.made.result);
  Deno.writeFileSync(archive, Deno.readFileSync(archive).slice(0, -50));
  const cut = await exp(["import", archive, "--store", third]);
  assert.deepEqual([cut.code, cut.lines], [2, [`Cannot import ${archive}: it is cut off`]]);
});

Deno.test("the folder checks with sha256sum's list, and its crate names every file", async () => {
  await using t = await exported();
  const list = checksums(
    new Map(digests(t.target).filter(([path]) => path !== FILES.checksums) as [string, string][]),
  );
  assert.equal(Deno.readTextFileSync(join(t.target, FILES.checksums)), list);
  const { "@graph": graph } = JSON.parse(Deno.readTextFileSync(join(t.target, FILES.crate)));
  const root = graph.find((entity: { "@id": string }) => entity["@id"] === "./");
  const parts = root.hasPart.map((part: { "@id": string }) => part["@id"]);
  const files = filesOf(t.target).filter((path) => path !== FILES.checksums && path !== FILES.crate);
  assert.deepEqual(parts, files.sort());
  const ids = new Set(graph.map((entity: { "@id": string }) => entity["@id"]));
  assert.deepEqual(parts.filter((id: string) => !ids.has(id)), []);
  for (const { key, outputs } of t.made.stages) {
    const { subject, predicate } = JSON.parse(
      Deno.readTextFileSync(join(t.target, `statements/${key}.json`)),
    );
    const named = subject.map((each: { digest: { sha256: string } }) => `sha256:${each.digest.sha256}`);
    assert.deepEqual(named, Object.values(outputs).map(({ digest }) => digest));
    assert.equal(predicate.runDetails.metadata.invocationId, key);
  }
});

Deno.test("a changed byte in any file is refused by the file's name, and the store stays as it was", async () => {
  await using t = await exported();
  using store = Store.open(t.other);
  for (const path of filesOf(t.target)) {
    const file = join(t.target, path);
    const whole = Deno.readFileSync(file);
    const changed = whole.slice();
    changed[whole.length >> 1]! ^= 1;
    Deno.writeFileSync(file, changed);
    await assert.rejects(importRuns(t.target, store), (error: Error) => {
      assert.equal(error.name, "UsageError");
      assert.ok(error.message.startsWith(`Cannot import ${t.target}: `) && !error.message.includes("\n"));
      // A changed list names the file that it no longer fits, or the line that is no line.
      if (path !== FILES.checksums) assert.ok(error.message.endsWith(`${path} is damaged`), error.message);
      return true;
    });
    Deno.writeFileSync(file, whole);
  }
  assert.throws(() => Deno.statSync(t.other), Deno.errors.NotFound);
});

Deno.test("a folder with more, less or other things than its list says is refused", async () => {
  await using t = await exported();
  using store = Store.open(t.other);
  const refused = async (reason: string) => {
    await assert.rejects(importRuns(t.target, store), { message: `Cannot import ${t.target}: ${reason}` });
  };
  const inside = (path: string) => join(t.target, path);
  Deno.writeTextFileSync(inside("notes.txt"), "mine");
  await refused("notes.txt is not among its checksums");
  Deno.removeSync(inside("notes.txt"));
  Deno.symlinkSync(inside(FILES.readme), inside("link"));
  await refused("link is neither a file nor a folder");
  Deno.removeSync(inside("link"));
  Deno.renameSync(inside(FILES.readme), join(t.path, "readme"));
  await refused("README.md is missing");
  Deno.renameSync(join(t.path, "readme"), inside(FILES.readme));
  const list = Deno.readTextFileSync(inside(FILES.checksums));
  const outside = `${"0".repeat(64)}  ../store/lock\n`;
  Deno.writeTextFileSync(inside(FILES.checksums), list + outside);
  await refused(`checksums.sha256 has a line of another form: ${JSON.stringify(outside.trimEnd())}`);
  Deno.removeSync(inside(FILES.checksums));
  await refused("it is not an export, checksums.sha256 is missing");
  const nothing = join(t.path, "nothing");
  await assert.rejects(importRuns(nothing, store), {
    message: `Cannot import ${nothing}: there is no such folder or file`,
  });
});

Deno.test("documents that were changed with their seals and checksums do not fit the others", async () => {
  await using t = await exported();
  using store = Store.open(t.other);
  const summary = t.made.stages.find(({ name }) => name === "summary")!;
  const forge = async (path: string, change: (bytes: Uint8Array) => Uint8Array, reason: string) => {
    const before = Deno.readFileSync(join(t.target, path));
    const list = Deno.readTextFileSync(join(t.target, FILES.checksums));
    Deno.writeFileSync(join(t.target, path), change(before));
    const files = digests(t.target).filter(([path]) => path !== FILES.checksums) as [string, string][];
    Deno.writeTextFileSync(join(t.target, FILES.checksums), checksums(new Map(files)));
    await assert.rejects(importRuns(t.target, store), { message: `Cannot import ${t.target}: ${reason}` });
    Deno.writeFileSync(join(t.target, path), before);
    Deno.writeTextFileSync(join(t.target, FILES.checksums), list);
  };
  // deno-lint-ignore no-explicit-any
  const resealed = (change: (document: any) => void) => (bytes: Uint8Array) => {
    const document = unseal(bytes);
    change(document);
    return seal(document);
  };
  const { digest } = summary.outputs.summary!;
  const object = `objects/sha256/${digest.slice(7, 9)}/${digest.slice(9)}`;
  await forge(object, () => new TextEncoder().encode("[]"), `${object} is damaged`);
  const outcome = `outcomes/${summary.key}/0000.json`;
  const swap = resealed(({ outputs }) => outputs.summary = outputs.table);
  const record = `runs/${t.made.definition}-0.json`;
  await forge(outcome, swap, `${record} has another result than its outputs`);
  const key = `outcomes/${summary.key}/key.json`;
  const recode = resealed(({ modules }) => modules["tests/lab_stages/rounding.ts"] = "0".repeat(64));
  await forge(key, recode, `${key} is not the key of stage "summary" as planned`);
  const replan = resealed(({ plan }) => plan.hyperparameters.learner.gamma = 0.1);
  await forge(record, replan, `${record} has another definition than its plan`);
  const newer = (bytes: Uint8Array) =>
    new TextEncoder().encode(new TextDecoder().decode(bytes).replace('"version": 1', '"version": 2'));
  await forge(FILES.manifest, newer, "its layout has version 2, this program reads version 1");
  assert.throws(() => Deno.statSync(t.other), Deno.errors.NotFound);
});

Deno.test("a store that has other bytes for a key keeps them, and says so", async () => {
  await using folder = await temporary();
  const [first, second, target] = ["a", "b", "export"].map((name) => join(folder.path, name));
  const dice = async (store: string) =>
    JSON.parse((await exp(["run", "tiny-dice", ...TINY, "--store", store, "--json"])).stdout).result;
  const [a, b] = [await dice(first!), await dice(second!)];
  assert.notEqual(a, b);
  await exp(["export", "tiny-dice", target!, ...TINY, "--store", first!]);
  const { code, lines } = await exp(["import", target!, "--store", second!]);
  assert.deepEqual([code, lines], [
    0,
    ['Stage "dice" has other bytes here: those of this store stay, run exp verify'],
  ]);
  assert.equal(await dice(second!), b);
});

Deno.test("what is not finished, not known or in the way is not exported", async () => {
  await using t = await exported();
  const refused = async (args: readonly string[], line: string) => {
    const { code, stdout, lines } = await exp(["export", ...args, ...TINY, "--store", t.store]);
    assert.deepEqual([code, stdout, lines], [2, "", [line]]);
  };
  await refused(
    ["tiny-walks", join(t.path, "new")],
    "Cannot export tiny-walks: stages left, right, summary are not in the store, run it first",
  );
  await refused(["tiny-walks", t.target, ...SMOKE], `Cannot export to ${t.target}: it is there already`);
  await refused(["abcdef", t.target], 'Cannot find a run by "abcdef": exp list shows the experiments');
  assert.throws(() => Deno.statSync(join(t.path, "new")), Deno.errors.NotFound);
});

Deno.test("export --metrics writes a folder of its own, and needs something to write", async () => {
  await using folder = await temporary();
  const args = ["export", "tiny-coins", join(folder.path, "metrics"), "--metrics"];
  const coins = ["--experiments", "tests/lab_reports/", "--store", join(folder.path, "store")];
  const empty = await exp([...args, ...coins]);
  assert.deepEqual([empty.code, empty.lines], [
    2,
    ["Cannot export metrics of tiny-coins: nothing is in the store, run it first"],
  ]);
  await exp(["run", "tiny-coins", ...coins]);
  const { code, stdout, stderr } = await exp([...args, ...coins, "--json"]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout).files, ["metrics.json"]);
  assert.deepEqual(filesOf(join(folder.path, "metrics")), ["metrics.json"]);
});
