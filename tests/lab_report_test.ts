/** What `exp` says of an experiment that measures something: its report, its progress, its hyperparameters. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { exp, temporary } from "./lab_command.ts";

const COINS = ["tiny-coins", "--experiments", "tests/lab_reports/"];

Deno.test("run reports further comparisons, of one seed and over seeds", async () => {
  await using folder = await temporary();
  const args = ["run", ...COINS, "--store", folder.path, "--seed", "0,1"];
  const { code, stdout, stderr } = await exp(args);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /\nloaded over control +\+\d+\.\d +\[/);
  assert.match(stdout, /\nuplift of loaded over control +\+/);
  const { runs, seeds } = JSON.parse((await exp([...args, "--json"])).stdout);
  const pairs = (rows: { label: string; against: string }[]) => rows.map((row) => [row.label, row.against]);
  for (const { report } of runs) {
    assert.deepEqual(pairs(report.comparisons).at(-1), ["loaded", "control"]);
  }
  assert.equal(seeds.uplift.at(-1).label, "loaded over control");
});

Deno.test("run sets methods side by side, of one seed and over seeds, and again from the store", async () => {
  await using folder = await temporary();
  const args = ["run", "tiny-methods", "--experiments", "tests/lab_reports/", "--store", folder.path];
  const one = await exp([...args, "--seed", "0"]);
  assert.equal(one.code, 0, one.stderr);
  assert.match(one.stdout, /\nslow .* 200 +100 +200 +\d/);
  const both = await exp([...args, "--seed", "0,1", "--json"]);
  const { methods } = JSON.parse(both.stdout).seeds;
  assert.deepEqual(
    methods.methods.map(({ label, episodes, cost }: { label: string; episodes: number; cost: object }) => {
      const { seconds: _, ...steps } = cost as { seconds: number };
      return { label, episodes, ...steps };
    }),
    [
      { label: "slow", episodes: 80, environmentSteps: 200, choosingSteps: 100, gradientSteps: 200 },
      { label: "fast", episodes: 80, environmentSteps: 100, choosingSteps: 50, gradientSteps: 100 },
    ],
  );
  const figures = () =>
    [...Deno.readDirSync(join(folder.path, "reports"))].filter(({ name }) => name.includes("seeds")).map((
      { name },
    ) => Deno.readTextFileSync(join(folder.path, "reports", name, "methods_over_environment_steps.svg")));
  const [drawn] = figures();
  assert.match(drawn!, /slow: 60\.0 % after 200, in the end/);
  await Deno.remove(join(folder.path, "reports"), { recursive: true });
  const again = await exp([...args, "--seed", "0,1"]);
  assert.match(again.stdout, /\nfast over slow +[+-]/);
  assert.deepEqual(figures(), [drawn]);

  // show says the same, by name and by the definition's hash; it runs nothing.
  const show = (subject: string, seeds: string) =>
    exp(["show", subject, "--seed", seeds, ...args.slice(2), "--json"]);
  const { definition } = JSON.parse(both.stdout).runs[0];
  for (const subject of ["tiny-methods", definition.slice(0, 12)]) {
    const { code, stdout, stderr } = await show(subject, "0,1");
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), JSON.parse(both.stdout).seeds);
  }
  const missing = await show("tiny-methods", "0,1,2");
  assert.deepEqual([missing.code, missing.lines], [2, [
    'Cannot show seeds 0, 1, 2 of "tiny-methods" together: seed 2 is not finished in this store under this code',
  ]]);
});

Deno.test("a report that cannot be written is printed; one line says so, exit 1", async () => {
  await using folder = await temporary();
  await Deno.writeTextFile(join(folder.path, "reports"), "in the way");
  const args = [...COINS, "--store", folder.path];
  for (const verb of ["run", "show"]) {
    const { code, stdout, lines } = await exp([verb, ...args]);
    assert.equal(code, 1, verb);
    assert.match(stdout, /\nloaded over control /);
    const line =
      /^Cannot write the report: cannot write to the store .*: (part of its path is a file|a file is in its place)$/;
    assert.equal(lines.filter((each) => line.test(each)).length, 1, lines.join("\n"));
  }
  const both = await exp(["run", ...args, "--seed", "0,1", "--json"]);
  assert.equal(both.code, 1);
  assert.ok(JSON.parse(both.stdout).seeds);
  await Deno.remove(join(folder.path, "reports"));
  assert.equal((await exp(["run", ...args])).code, 0);
});

Deno.test("a graph that refuses its hyperparameters: exit 2, one line, no store", async () => {
  await using folder = await temporary();
  const store = join(folder.path, "store");
  const { code, lines } = await exp(["run", ...COINS, "--set", "coins=7", "--store", store]);
  assert.deepEqual([code, lines], [2, ["Cannot flip 7 coins: give an even number"]]);
  await assert.rejects(Deno.stat(store), Deno.errors.NotFound);
});

Deno.test("show --parameters lists path, value, origin, allowed values and description", async () => {
  await using folder = await temporary();
  const args = ["show", ...COINS, "--parameters", "--store", folder.path];
  const { code, stdout, stderr } = await exp([...args, "--preset", "smoke", "--set", "rates.loaded=0.9"]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.trimEnd().split("\n").map((line) => line.split(/ {2,}/)), [
    ["parameter", "value", "allowed", "what it is", "from"],
    ["coins", "10", "an integer >= 1 and <= 1000", "coins flipped; must be even", "preset: smoke"],
    ["rates.fair", "0.5", "a number >= 0 and <= 1", "rate of the fair coin", "experiment: what fair means"],
    ["rates.loaded", "0.9", "a number >= 0 and <= 1", "set"],
  ]);
  const { parameters } = JSON.parse((await exp([...args, "--json"])).stdout);
  assert.deepEqual(parameters[0], {
    path: "coins",
    value: 40,
    from: "default",
    allowed: "an integer >= 1 and <= 1000",
    description: "coins flipped; must be even",
  });
});
