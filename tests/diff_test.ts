/** What `exp diff` prints, against golden files: UPDATE_GOLDEN=1 deno test -A tests/diff_test.ts writes them anew. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { filesOf } from "../lab/bundle.ts";
import { names } from "../lab/durable.ts";
import { clone, exp, run, temporary, TINY } from "./lab_command.ts";

const COINS = ["--experiments", "tests/lab_reports/"];

async function golden(name: string, actual: string): Promise<void> {
  const url = new URL(`fixtures/diff/${name}`, import.meta.url);
  if (Deno.env.get("UPDATE_GOLDEN")) await Deno.writeTextFile(url, actual);
  assert.equal(actual, await Deno.readTextFile(url));
}

/** Files of a store's module texts that contain `text`. */
const sources = (store: string, text: string) =>
  filesOf(join(store, "sources")).map((path) => join(store, "sources", path))
    .filter((path) => Deno.readTextFileSync(path).includes(text));

async function diff(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await exp(["diff", ...args]);
  assert.equal(code, 0, stderr);
  return stdout;
}

Deno.test("diff of two seeds: outputs and metrics, with SciPy's intervals", async () => {
  await using folder = await temporary();
  const store = [...COINS, "--store", folder.path];
  await exp(["run", "tiny-coins", ...store, "--seed", "0,1"]);
  await golden("seed.txt", await diff(["tiny-coins@0", "tiny-coins", "--seed", "1", ...store]));
  await golden("seed.md", await diff(["tiny-coins@0", "tiny-coins@1", "--markdown", ...store]));
  const { metrics, same } = JSON.parse(await diff(["tiny-coins@0", "tiny-coins@1", "--json", ...store]));
  assert.equal(same, false);
  // Origin: tango() of results/fixtures/make_statistics.py (SciPy 1.17.1) and statsmodels' exact mcnemar.
  const expected = [
    ["before", 8, 7, -0.16964283673, 0.21817281658, 1],
    ["control", 13, 11, -0.18857310894, 0.28233804586, 0.8388197422],
    ["loaded", 9, 5, -0.08855680700, 0.28415913169, 0.4239501953],
  ] as const;
  for (const [i, [label, wins, losses, low, high, p]] of expected.entries()) {
    const { difference } = metrics[i];
    assert.deepEqual([metrics[i].label, difference.wins, difference.losses], [label, wins, losses]);
    const found = [difference.interval.low, difference.interval.high, difference.test.p];
    for (const [k, value] of [low, high, p].entries()) assert.ok(Math.abs(found[k] - value) < 1e-7, label);
  }
});

Deno.test("diff of one hyperparameter, by name and by hash", async () => {
  await using folder = await temporary();
  const store = [...TINY, "--store", folder.path];
  const a = await run(folder.path, ["--preset", "smoke"]);
  const b = await run(folder.path, ["--preset", "smoke", "--set", "learner.gamma=0.5"]);
  const set = ["--preset", "smoke", "--set-b", "learner.gamma=0.5"];
  const text = await diff(["tiny-walks", "tiny-walks", ...set, ...store]);
  await golden("hyperparameter.txt", text);
  const hashes = [a.result!.slice(0, 8), b.definition];
  assert.equal(await diff([...hashes, ...store]), text);
  const same = await diff(["tiny-walks", a.result!, "--preset", "smoke", ...store]);
  assert.match(same, /\n\nNo difference: 5 outputs are equal in every byte\n$/);
});

Deno.test("diff of one changed constant shows the code as it was, of a changed graph its stages", async () => {
  await using repo = await clone();
  const store = ["--store", repo.store];
  const smoke = ["--preset", "smoke"];
  const a = await run(repo.store, smoke, repo.root);
  await repo.edit("tests/lab_stages/rounding.ts", (text) => text.replace("DIGITS = 6", "DIGITS = 5"));
  const b = await run(repo.store, smoke, repo.root);
  await golden("constant.txt", await diff([a.result!, b.result!, ...store]));
  await golden("constant.md", await diff([a.result!, b.result!, ...store, "--markdown"]));
  const addStage = 'stage(draw, {}, { count: 2 }, { name: "extra" });\n    stage(summarize, ';
  await repo.edit(
    "tests/lab_experiments/tiny_walks.ts",
    (text) =>
      text.replace("stage(summarize, ", addStage).replace("[left.path, right.path]", "[left.path]")
        .replace(/const right = .*\n/, ""),
  );
  const c = await run(repo.store, smoke, repo.root);
  await golden("graph.txt", await diff([b.result!, c.result!, ...store]));
  const shown = await exp(["show", a.result!, ...TINY, ...store, "--json"]);
  assert.equal(JSON.parse(shown.stdout).result, a.result, "an earlier run is found by its result");
  for (const path of sources(repo.store, "DIGITS = 5")) Deno.removeSync(path);
  assert.match(
    await diff([a.result!, b.result!, ...store]),
    /\nCode\n {2}tests\/lab_stages\/rounding.ts changed \(summary\); its text is not kept for b\n\n/,
    "the checkout still has the text of a",
  );
  assert.equal(names(join(repo.store, "history")).length, 3);
  assert.equal((await exp(["gc", "--yes", ...TINY, ...store], repo.root)).code, 0);
  assert.equal(names(join(repo.store, "history")).length, 1, "gc forgets runs of code that is gone");
  assert.deepEqual(sources(repo.store, "DIGITS = 6"), [], "and their texts");
  assert.ok(sources(repo.store, "").length > 0);
});

Deno.test("diff of stages that were not made says so; wrong names are one line and exit 2", async () => {
  await using folder = await temporary();
  const store = [...TINY, "--store", folder.path];
  const { definition, result } = await run(folder.path, ["--preset", "smoke"]);
  const text = await diff(["tiny-walks", definition, ...store]);
  assert.match(text, /^a: .* not complete\n/);
  assert.match(text, /\n {2}widths: not made in a|\n {2}left: not made in a\n {2}right: not made in a\n/);
  const wrong = async (args: readonly string[], line: string) => {
    const { code, stdout, lines } = await exp(["diff", ...args, ...store]);
    assert.deepEqual([code, stdout, lines], [2, "", [line]]);
  };
  await wrong(["tiny-walk", definition], 'Cannot find experiment "tiny-walk", did you mean "tiny-walks"');
  await wrong(["ffffffff", definition], 'Cannot find a run by "ffffffff": exp list shows the experiments');
  await wrong(
    [`${definition}@7`, definition],
    `Cannot find seed 7 of "${definition}": it was run with 0`,
  );
  await wrong(
    [definition, result!, "--set", "learner.gamma=0.5"],
    `Cannot change hyperparameters of stored run "${result}": name its experiment`,
  );
  await wrong(
    ["tiny-walks", definition, "--json", "--markdown"],
    "Cannot print JSON and Markdown at once: choose --json or --markdown",
  );
});
