import assert from "node:assert/strict";
import { encodeTable } from "../data/table.ts";
import { stream } from "../random.ts";
import { buildReport, type ReportInput } from "./report.ts";
import { aggregateSeeds } from "./seeds.ts";
import { wilson } from "./statistics.ts";

interface Setting {
  tasks?: readonly string[];
  states?: number;
  noises?: number;
}

/** Episodes of a policy that succeeds with `rate`, easier from some initial states than from others. */
function evaluation(
  label: string,
  rate: number,
  seed: number,
  { tasks = ["pick"], states = 50, noises = 2 }: Setting,
) {
  const rows = tasks.flatMap((task) =>
    Array.from(
      { length: states * noises },
      (_, i) => ({ task, index: Math.floor(i / noises), noise: i % noises }),
    )
  );
  const success = rows.map(({ task, index, noise }) => {
    const ease = stream(7, "ease", task, index).uniform(-0.2, 0.2);
    return Number(stream(seed, label, task, index, noise).uniform() < rate + (rate < 0.95 ? ease : 0));
  });
  return encodeTable({
    task: rows.map((row) => row.task),
    index: Int32Array.from(rows, (row) => row.index),
    noise: Int32Array.from(rows, (row) => row.noise),
    success: Uint8Array.from(success),
    length: Int32Array.from(success, (s, i) => s ? 70 + i % 30 : 160),
  });
}

function input(seed = 0, setting: Setting = {}): ReportInput {
  const steps = Float64Array.from({ length: 21 }, (_, i) => 2000 * i);
  return {
    experiment: "pld-tabletop",
    version: 1,
    summary:
      "Does a residual trained by reinforcement lift a half-good policy, and can the policy learn it back?",
    seed,
    result: "3f2a9c".repeat(10) + "0000",
    hyperparameters: { learner: { gamma: 0.99, xi: 0.5 } },
    overrides: [{ path: "learner.rewardScale", value: 10, reason: "0/1 never takes off | see facts" }, {
      path: "learner.steps",
      value: 50,
      from: "preset",
    }],
    stages: [
      {
        name: "base",
        stage: "stages/clone.ts",
        state: "hit",
        seconds: 41.2,
        budget: { environmentSteps: 0, gradientSteps: 4000 },
      },
      {
        name: "specialist",
        stage: "stages/train_residual.ts",
        state: "run",
        seconds: 611,
        budget: { environmentSteps: 40_000, gradientSteps: 20_000 },
      },
    ],
    evaluations: {
      before: evaluation("before", 0.42, seed, setting),
      specialist: evaluation("specialist", 0.97, seed, setting),
      distilled: evaluation("distilled", 0.8, seed, setting),
      control: evaluation("control", 0.47, seed, setting),
    },
    curves: {
      specialist: encodeTable({
        environment_steps: steps,
        success: steps.map((s) => s === 0 ? NaN : 0.97 / (1 + Math.exp((20_000 - s) / 3000))),
        episodes: steps.map(() => 50),
      }),
      distilled: encodeTable({ gradient_steps: steps, loss: steps }),
    },
    notes: ["The curve is measured on training states."],
  };
}

Deno.test("buildReport() is a function of its input and survives JSON", () => {
  const report = buildReport(input());
  assert.deepEqual(buildReport(input()), report);
  assert.deepEqual(JSON.parse(JSON.stringify(report.json)), report.json);
});

Deno.test("buildReport() counts successes and compares with the first evaluation", () => {
  const { json } = buildReport(input());
  const [before, specialist] = json.policies;
  assert.equal(before!.episodes, 100);
  assert.equal(before!.states, 50);
  const row = json.comparisons[0]!;
  assert.equal(`${row.label} over ${row.against}`, "specialist over before");
  assert.equal(row.wins - row.losses, specialist!.successes - before!.successes);
  assert.equal(row.interval.estimate, (row.wins - row.losses) / 100);
  assert.ok(row.interval.low > 0.3 && row.holm! < 1e-6 && row.settle === null);
  assert.equal(row.test!.method, "exact sign flips over initial states");
  const control = json.comparisons[2]!;
  assert.ok(control.holm! > 0.05 && control.settle! > 50, JSON.stringify(control));
  assert.deepEqual(json.budget.total, { seconds: 652.2, environmentSteps: 40_000, gradientSteps: 24_000 });
  assert.deepEqual(json.budget.now, { seconds: 611, environmentSteps: 40_000, gradientSteps: 20_000 });
  assert.deepEqual(json.curves.map((curve) => [curve.label, curve.unit, curve.success[0]]), [
    ["specialist", "environment_steps", null],
  ]);
});

const pairs = [{ after: "distilled", before: "control" }];

Deno.test("buildReport() compares further pairs like the others, in the same family", () => {
  const plain = buildReport(input());
  const { json, markdown, console } = buildReport({ ...input(), comparisons: pairs });
  const row = json.comparisons.at(-1)!;
  assert.deepEqual([json.comparisons.length, row.label, row.against], [4, "distilled", "control"]);
  const [distilled, control] = [json.policies[2]!, json.policies[3]!];
  assert.equal(row.wins - row.losses, distilled.successes - control.successes);
  assert.equal(row.pairs, 100);
  assert.ok(row.interval.low > 0 && row.holm! < 0.05 && row.holm! >= row.test!.p);
  for (const [i, earlier] of plain.json.comparisons.entries()) {
    const { holm, ...rest } = json.comparisons[i]!;
    const { holm: smaller, ...same } = earlier;
    assert.deepEqual(rest, same);
    assert.ok(holm! >= smaller!);
  }
  assert.match(markdown, /\*\*distilled over control\*\*: 4\d\.0 % → 8\d\.0 %, uplift \+/);
  assert.match(markdown, /\n\| distilled over control \| \+\d+\.\d \| \[/);
  assert.match(markdown, /Holm over 4 comparisons/);
  assert.match(console, /\ndistilled over control +\+\d+\.\d +\[/);
  assert.throws(
    () => buildReport({ ...input(), comparisons: [{ after: "distil", before: "control" }] }),
    { message: 'Cannot compare evaluation "distil": there are before, specialist, distilled, control' },
  );
});

Deno.test("further pairs are compared by task and over seeds, too", () => {
  const build = (seed: number) =>
    buildReport({ ...input(seed, { tasks: ["pick", "push"], states: 20 }), comparisons: pairs });
  const { json, markdown } = build(0);
  assert.equal(markdown.match(/\n\| distilled over control \|( {2}\|){4} \+/g)!.length, 2);
  const seeds = aggregateSeeds([json, build(1).json]);
  const spread = seeds.json.uplift.at(-1)!;
  assert.equal(spread.label, "distilled over control");
  assert.deepEqual(spread.seeds[0], json.comparisons.at(-1)!.interval.estimate);
  assert.match(seeds.markdown, /\n\| distilled over control \| \+/);
  assert.match(seeds.console, /uplift of distilled over control +\+/);
});

Deno.test("buildReport() of one episode an initial state uses Wilson's, Tango's and McNemar's methods", () => {
  const { json, markdown } = buildReport(input(0, { noises: 1 }));
  const { interval, successes } = json.policies[0]!;
  assert.deepEqual(interval, wilson(successes, 50));
  assert.equal(json.comparisons[0]!.interval.method, "Tango, 50 pairs");
  assert.deepEqual(json.comparisons[0]!.test, json.comparisons[0]!.mcnemar);
  assert.match(markdown, /Intervals: Wilson\. Mean length/);
});

Deno.test("learning curves say that they are on training states, and the line they are held against is not", () => {
  const { svgs, markdown } = buildReport(input());
  const svg = svgs["success_over_environment_steps"]!;
  assert.match(svg, /<text [^>]*>specialist, training states<\/text>/);
  assert.match(svg, /<text [^>]*>before, held-out states<\/text>/);
  assert.match(
    markdown,
    /Curves: success on training states, .* success of before on held-out initial states/,
  );
});

Deno.test("buildReport() compares by task where there are several", () => {
  const { json, markdown, svgs } = buildReport(input(0, { tasks: ["pick", "open | shut"] }));
  assert.deepEqual(json.tasks, ["open | shut", "pick"]);
  assert.deepEqual(json.comparisons[1]!.tasks.map((task) => task.pairs), [100, 100]);
  assert.match(markdown, /### pick\n\n\| policy \|/);
  assert.deepEqual(Object.keys(svgs), ["success", "success_by_task", "success_over_environment_steps"]);
});

Deno.test("buildReport() of a smoke run, with one initial state, still reports", () => {
  for (const noises of [1, 2]) {
    const { json } = buildReport(input(0, { states: 1, noises, tasks: ["a", "b"] }));
    assert.ok(json.policies.every(({ interval }) => interval.high - interval.low > 0.3));
  }
});

Deno.test("buildReport() compares policies without shared episodes as independent ones", () => {
  const { evaluations, ...rest } = input();
  const other = evaluation("other", 0.9, 0, { tasks: ["push"] });
  const { json, console } = buildReport({ ...rest, evaluations: { before: evaluations["before"]!, other } });
  const row = json.comparisons[0]!;
  assert.equal(row.interval.method, "Newcombe, unpaired");
  assert.deepEqual([row.test, row.holm, row.pairs], [null, null, 0]);
  assert.match(console, /other .* -\n/);
});

Deno.test("the Markdown and the console tell every number with its n and method", () => {
  const { markdown, console } = buildReport(input());
  assert.match(
    markdown,
    /\*\*specialist\*\*: 3\d\.0 % → 9\d\.0 %, uplift \+6\d\.0 points \[\+\d+\.\d, \+\d+\.\d\] \(bootstrap over 50 initial states, 100 pairs; Holm-adjusted p < 0\.001\)\./,
  );
  assert.match(markdown, /\| `learner\.rewardScale` \| `10` \| 0\/1 never takes off \\\| see facts \|/);
  assert.match(markdown, /\| `learner\.steps` \| `50` \| set by preset \|/);
  assert.match(markdown, /\| total \| {2}\| 10 min 52 s \| 40,000 \| 24,000 \|/);
  assert.match(
    markdown,
    /The interval of control holds 0: a difference of .* would need about [\d,]+ initial states/,
  );
  assert.match(markdown, /!\[success over environment steps\]\(success_over_environment_steps\.svg\)/);
  assert.match(console, /^pld-tabletop v1, seed 0, result 3f2a9c3f2a9c\n/);
  assert.match(console, /specialist {2}run {4}10 min 11 s +40,000 +20,000/);
});

Deno.test("a report says in which simulator its numbers were measured, that of several seeds too", () => {
  const worlds = ["LIBERO libero_spatial, protocol ours: 220 steps"];
  const reports = [0, 1].map((seed) => buildReport({ ...input(seed), worlds }));
  const aggregate = aggregateSeeds(reports.map(({ json }) => json));
  for (const { markdown, console } of [...reports, aggregate]) {
    assert.match(markdown, /^LIBERO libero_spatial, protocol ours: 220 steps\.$/m);
    assert.match(console, /^LIBERO libero_spatial, protocol ours: 220 steps$/m);
  }
  const other = buildReport({ ...input(1), worlds: ["LIBERO libero_spatial, protocol openpi: 220 steps"] });
  assert.throws(() => aggregateSeeds([reports[0]!.json, other.json]), { message: /worlds must be equal$/ });
});

Deno.test("buildReport() refuses evaluations that cannot be counted", () => {
  const { evaluations: _, ...rest } = input();
  const build = (table: Parameters<typeof encodeTable>[0]) => () =>
    buildReport({ ...rest, evaluations: { before: encodeTable(table) } });
  const one = Int32Array.of(0, 0);
  const table = { task: ["a", "a"], index: one, noise: one, success: Uint8Array.of(0, 1), length: one };
  assert.throws(build(table), {
    message: 'Cannot count evaluation "before": initial state 0 with noise 0 of "a" is there twice',
  });
  assert.throws(build({ ...table, success: Uint8Array.of(0, 2) }), {
    message: 'Cannot read success 2 in row 1 of evaluation "before": it must be 0 or 1',
  });
  assert.throws(
    build({
      task: [],
      index: new Int32Array(),
      noise: new Int32Array(),
      success: new Uint8Array(),
      length: new Int32Array(),
    }),
    {
      message: 'Cannot report on evaluation "before": it has no episode',
    },
  );
  assert.throws(build({ task: ["a"] }), { message: 'Cannot read column "index": the table has task' });
  assert.throws(() => buildReport({ ...rest, evaluations: {} }), {
    message: 'Cannot report on "pld-tabletop" without evaluations: give at least one',
  });
});

Deno.test("aggregateSeeds() takes the mean over seeds and an interval around it", () => {
  const reports = [0, 1, 2].map((seed) => buildReport(input(seed)).json);
  const { json, markdown, console, svgs } = aggregateSeeds(reports);
  const rates = reports.map((report) => report.policies[2]!.interval.estimate);
  const distilled = json.success[2]!;
  assert.deepEqual(distilled.seeds, rates);
  assert.ok(Math.abs(distilled.mean.estimate - (rates[0]! + rates[1]! + rates[2]!) / 3) < 1e-12);
  assert.ok(distilled.mean.low < Math.min(...rates) && distilled.mean.high > Math.max(...rates));
  assert.ok(json.success.every(({ mean }) => mean.low >= 0 && mean.high <= 1));
  assert.equal(json.uplift[1]!.mean.method, "Student, 3 runs");
  assert.equal(json.uplift[1]!.iqm.method, "IQM, stratified bootstrap, 1 task x 3 runs");
  assert.match(markdown, /, percentile, which cannot leave the range of so few seeds\.\n/);
  assert.match(console, /uplift of distilled +\+/);
  assert.deepEqual(Object.keys(svgs), ["success_by_seed"]);
  assert.deepEqual(aggregateSeeds(reports), { json, markdown, console, svgs });
});

Deno.test("aggregateSeeds() refuses reports that do not belong together", () => {
  const [a, b] = [0, 1].map((seed) => buildReport(input(seed, { states: 3 })).json);
  assert.throws(() => aggregateSeeds([a!]), {
    message: "Cannot aggregate 1 reports: give at least two seeds",
  });
  assert.throws(() => aggregateSeeds([a!, a!]), {
    message: "Cannot aggregate seeds 0, 0: each must be there once",
  });
  assert.throws(() => aggregateSeeds([a!, { ...b!, version: 2 }]), {
    message: 'Cannot aggregate seed 1 of "pld-tabletop" v2 with seed 0 of "pld-tabletop" v1: ' +
      "experiment, version, policies, comparisons, tasks and worlds must be equal",
  });
});
