import assert from "node:assert/strict";
import { encodeTable } from "../data/table.ts";
import type { MethodStages } from "../lab/method_stages.ts";
import { stream } from "../random.ts";
import { methodRow } from "./methods.ts";
import { buildReport, type ReportInput, type StageRow } from "./report.ts";
import { aggregateSeeds } from "./seeds.ts";
import { holm } from "./statistics.ts";

const spent = (name: string, environmentSteps: number, gradientSteps: number, seconds: number): StageRow => ({
  name,
  stage: `stages/${name}.ts`,
  state: "run",
  seconds,
  budget: { environmentSteps, gradientSteps },
});
const stages = (seed: number) => [
  spent("base", 0, 4000, 30),
  spent("offline", 1000 + 100 * seed, 0, 10),
  spent("learner", 5000, 800, 60),
  spent("groups", 3000, 0, 20),
  spent("guided", 0, 500, 15),
  spent("score", 700, 0, 5),
];

const curve = encodeTable({
  environment_steps: Float64Array.of(0, 2000, 4000),
  success: Float64Array.of(0.4, 0.1, 0.9),
  episodes: Float64Array.of(10, 10, 10),
});
const scores = encodeTable({
  guidance: Float64Array.of(1, 2, 3),
  success: Float64Array.of(0.5, 0.7, 0.6),
  episodes: Int32Array.of(20, 20, 20),
});
const methods: MethodStages[] = [
  {
    label: "online",
    stages: ["offline", "learner"],
    collecting: ["offline"],
    progress: [{ stage: "learner", before: ["offline"], table: curve }],
  },
  {
    label: "grouped",
    stages: ["groups", "guided", "score"],
    collecting: ["groups"],
    progress: [{ stage: "score", before: ["groups", "guided"], table: scores }],
  },
];

Deno.test("methodRow() parts steps to learn from and steps to choose, and puts curves behind what came before", () => {
  const [online, grouped] = methods.map((method) => methodRow(method, stages(0)));
  assert.deepEqual(online, {
    label: "online",
    cost: { environmentSteps: 5000, choosingSteps: 1000, gradientSteps: 800, seconds: 70 },
    points: [
      { environmentSteps: 1000, success: 0.4, episodes: 10 },
      { environmentSteps: 3000, success: 0.1, episodes: 10 },
      { environmentSteps: 5000, success: 0.9, episodes: 10 },
    ],
  });
  assert.deepEqual(grouped, {
    label: "grouped",
    cost: { environmentSteps: 3000, choosingSteps: 700, gradientSteps: 500, seconds: 40 },
    points: [{ environmentSteps: 3000, success: 0.7, episodes: 20 }],
  });
});

/** 20 states under 3 noise streams. */
function evaluation(label: string, rate: number, seed: number) {
  const rows = Array.from({ length: 60 }, (_, i) => [Math.floor(i / 3), i % 3] as const);
  return encodeTable({
    task: rows.map(() => "pick"),
    index: Int32Array.from(rows, ([index]) => index),
    noise: Int32Array.from(rows, ([, noise]) => noise),
    success: Uint8Array.from(
      rows,
      ([index, noise]) => Number(stream(seed, label, index, noise).uniform() < rate),
    ),
    length: new Int32Array(60).fill(100),
  });
}

const input = (seed: number): ReportInput => ({
  experiment: "methods",
  version: 1,
  summary: "Which method?",
  seed,
  result: "0".repeat(64),
  hyperparameters: {},
  overrides: [],
  stages: stages(seed),
  evaluations: {
    base: evaluation("base", 0.3, seed),
    online: evaluation("online", 0.9, seed),
    grouped: evaluation("grouped", 0.5, seed),
  },
  curves: {},
  comparisons: [{ after: "grouped", before: "online" }],
  methods,
});

Deno.test("a report sets methods side by side, as a table and as a figure", () => {
  const { json, markdown, console, svgs } = buildReport(input(0));
  assert.equal(json.methods!.length, 2);
  assert.match(markdown, /^\| online \| \d+\.\d % \| .* \| 5,000 \| 1,000 \| 800 \| 1 min 10 s \|$/m);
  assert.match(console, /^grouped .* 3,000 +700 +500 +40 s$/m);
  const svg = svgs["methods_over_environment_steps"]!;
  assert.match(svg, /online: 90\.0 % after 5k, in the end \d+\.\d %; grouped: 70\.0 % after 3k, in the end/);
  assert.doesNotMatch(svg, /NaN|undefined/);
  assert.match(markdown, /!\[.*\]\(methods_over_environment_steps\.svg\)/);
});

Deno.test("several seeds pool the episodes of methods, pair within a seed, and adjust all pairs together", () => {
  const inputs = [0, 1, 2].map(input);
  const reports = inputs.map((each) => buildReport(each).json);
  const aggregate = aggregateSeeds(reports, inputs.map(({ evaluations }) => evaluations));
  const { before, methods, comparisons } = aggregate.json.methods!;
  assert.deepEqual([before.episodes, before.states], [180, 20]);
  const successes = (label: string) =>
    reports.map(({ policies }) => policies.find((policy) => policy.label === label)!);
  for (const row of [before, ...methods]) {
    const each = successes(row.label);
    assert.equal(row.successes, each.reduce((sum, { successes }) => sum + successes, 0), row.label);
    assert.deepEqual(row.seeds, each.map(({ interval }) => interval.estimate));
  }
  assert.deepEqual(
    comparisons.map(({ label, against }) => [label, against]),
    [["online", "base"], ["grouped", "base"], ["grouped", "online"]],
  );
  assert.deepEqual(comparisons.map((row) => row.holm), holm(comparisons.map((row) => row.test!.p)));
  // Pairs do not cross seeds: wins minus losses add up.
  for (const row of comparisons) {
    const single = reports.map((report) =>
      report.comparisons.find(({ label, against }) => label === row.label && against === row.against)!
    );
    assert.equal(row.wins, single.reduce((sum, { wins }) => sum + wins, 0));
    assert.equal(row.pairs, 180);
  }
  assert.equal(methods[0]!.cost.environmentSteps, 5100);
  assert.deepEqual(methods[0]!.points[1], {
    environmentSteps: 3100,
    success: (0.1 + 0.1 + 0.1) / 3,
    episodes: 30,
    low: 0.1,
    high: 0.1,
  });
  const svg = aggregate.svgs["methods_over_environment_steps"]!;
  assert.match(svg, /<title>Success over environment steps, seeds 0, 1, 2<\/title>/);
  assert.match(aggregate.console, /^grouped over online +-\d+\.\d +\[/m);
  assert.deepEqual(aggregateSeeds(reports, inputs.map(({ evaluations }) => evaluations)), aggregate);
});

Deno.test("curves of one method with different lengths are refused", () => {
  const [first, second] = [0, 1].map(input);
  const cut = encodeTable({
    environment_steps: Float64Array.of(0),
    success: Float64Array.of(0.4),
    episodes: Float64Array.of(10),
  });
  const [online, grouped] = methods;
  const shorter = { ...online!, progress: [{ ...online!.progress[0]!, table: cut }] };
  const inputs = [first!, { ...second!, methods: [shorter, grouped!] }];
  assert.throws(
    () =>
      aggregateSeeds(
        inputs.map((each) => buildReport(each).json),
        inputs.map(({ evaluations }) => evaluations),
      ),
    { message: 'Cannot average the curves of "online": they have 3 and 1 points' },
  );
});
