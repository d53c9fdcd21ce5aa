/** Stores for tests of the site: written as the lab writes them, without running anything. */
import { join } from "node:path";
import { sha256 } from "../lab/canonical.ts";
import type { StageKey } from "../lab/key.ts";
import type { Plan, PlannedStage } from "../lab/plan.ts";
import { resultHash } from "../lab/runner.ts";
import { mediaTypes } from "../lab/stage.ts";
import { seal } from "../lab/sealed.ts";
import { type Output, type RunRecord, Store } from "../lab/store.ts";
import { encodeTable } from "../data/table.ts";
import { stream } from "../random.ts";

/** What a trial run is about. */
export interface TrialRun {
  /** Name of the experiment. */
  readonly experiment: string;
  /** Two hexadecimal digits or more, repeated to make the definition. */
  readonly definition: string;
  /** Seed of the run. */
  readonly seed: number;
  /** Texts that pages have to escape. */
  readonly summary?: string;
  /** Success rates of the two policies it evaluates. */
  readonly rates?: readonly [before: number, after: number];
  /** Rows of its table of metrics. */
  readonly points?: number;
  /** `path=value` texts it was asked with. */
  readonly set?: readonly string[];
  /** Name of its stages' module. */
  readonly entry?: string;
  /** Files of episodes, each the output of a stage of that name. */
  readonly episodes?: Readonly<Record<string, Uint8Array>>;
}

const EPISODES = 20;

/** Adds a finished run of four stages to a store: train (a table of metrics), evaluate.before, evaluate.after, notes. */
export function addRun(
  store: Store,
  run: TrialRun,
): { definition: string; result: string; keys: Record<string, string> } {
  const { experiment, seed, summary = "Is it better?", rates = [0.25, 0.75], points = 20, set = [] } = run;
  const definition = run.definition.repeat(64).slice(0, 64);
  const draws = stream(seed, "trial", experiment, definition);
  const metrics = encodeTable({
    environment_steps: Float64Array.from({ length: points }, (_, i) => 100 * i),
    success: Float64Array.from({ length: points }, (_, i) => Math.min(1, (i + draws.uniform()) / points)),
    episodes: Float64Array.from({ length: points }, () => EPISODES),
    loss: Float64Array.from({ length: points }, () => draws.uniform()),
  });
  const evaluation = (rate: number) =>
    encodeTable({
      task: Array.from({ length: EPISODES }, () => "reach"),
      index: Int32Array.from({ length: EPISODES }, (_, i) => i),
      noise: new Int32Array(EPISODES),
      success: Uint8Array.from({ length: EPISODES }, (_, i) => Number(i < rate * EPISODES)),
      length: Int32Array.from({ length: EPISODES }, () => 50),
    });
  const document = new TextEncoder().encode(JSON.stringify({ experiment, summary }));
  const made: Record<string, { kind: PlannedStage["outputs"][string]; bytes: Uint8Array; needs: string[] }> =
    {
      "train": { kind: "metrics", bytes: metrics, needs: [] },
      "evaluate.before": { kind: "evaluation", bytes: evaluation(rates[0]), needs: [] },
      "evaluate.after": { kind: "evaluation", bytes: evaluation(rates[1]), needs: ["train"] },
      "notes": { kind: "document", bytes: document, needs: ["evaluate.before", "evaluate.after"] },
      ...Object.fromEntries(
        Object.entries(run.episodes ?? {}).map((
          [name, bytes],
        ) => [name, { kind: "episodes" as const, bytes, needs: [] }]),
      ),
    };
  const keys: Record<string, string> = {};
  const results: { name: string; outputs: Record<string, Output> }[] = [];
  const stages: PlannedStage[] = [];
  Object.entries(made).forEach(([name, { kind, bytes, needs }], i) => {
    const inputs = Object.fromEntries(needs.map((stage) => [stage, { stage, output: "out" }]));
    const entry = run.entry ?? "stages/trial.ts";
    stages.push({ name, entry, inputs, outputs: { out: kind }, parameters: {}, seed });
    const key = sha256(`${definition}-${seed}-${i}`);
    const output: Output = { ...store.objects.put(bytes, store.writer), mediaType: mediaTypes[kind] };
    store.commit(stageKey(key, entry, seed), {
      key,
      entry,
      name,
      experiment,
      seed,
      outputs: { out: output },
      seconds: 1.5,
      budget: { environmentSteps: 10, gradientSteps: 5 },
      created: "2026-01-02T03:04:05.000Z",
      machine: { host: "trial", cores: 2, memory: 2 ** 30, os: "linux" },
    }, new TextEncoder().encode(`0.000 stage ${name}\n`));
    keys[name] = key;
    results.push({ name, outputs: { out: output } });
  });
  const plan: Plan = {
    experiment,
    version: 1,
    summary,
    seeds: [0, 1],
    presets: ["smoke"],
    seed,
    request: { seed, set },
    hyperparameters: { learner: { gamma: 0.9, steps: points } },
    settings: [
      { path: "learner.gamma", value: 0.9, from: "experiment", reason: "short episodes" },
      ...set.map((text) => ({ path: "learner.steps", value: points, from: "set" as const, reason: text })),
    ],
    parameters: [
      { path: "learner.gamma", allowed: "a number", description: "discount", default: 0.99 },
      { path: "learner.steps", allowed: "an integer", description: "gradient steps", default: 20 },
    ],
    stages,
    evaluations: {
      before: { stage: "evaluate.before", output: "out" },
      after: { stage: "evaluate.after", output: "out" },
    },
    curves: { learner: { stage: "train", output: "out" } },
    definition,
  };
  const result = resultHash(results);
  store.record({
    plan,
    keys,
    result,
    created: `2026-01-02T03:${String(seed % 60).padStart(2, "0")}:06.000Z`,
  });
  return { definition, result, keys };
}

/** An empty store in a temporary folder, removed when disposed. */
export function trialStore() {
  const directory = Deno.makeTempDirSync({ prefix: "uplift-site-" });
  const store = Store.open(join(directory, "store"));
  return {
    store,
    directory: store.directory,
    [Symbol.dispose]: () => {
      store[Symbol.dispose]();
      Deno.removeSync(directory, { recursive: true });
    },
  };
}

/** Records of `count` further definitions that share a run's outcomes and a report, written without syncing each. */
export function addRecords(
  store: Store,
  { definition, seed, count, report }: { definition: string; seed: number; count: number; report: unknown },
): void {
  const { document } = JSON.parse(
    Deno.readTextFileSync(join(store.directory, "runs", `${definition}-${seed}.json`)),
  ) as { document: RunRecord };
  for (let i = 0; i < count; i++) {
    const plan = {
      ...document.plan,
      definition: sha256(`further ${i}`),
      experiment: `trial-${i % 7}`,
      hyperparameters: { learner: { gamma: 0.9, steps: i } },
    };
    const created = new Date(Date.UTC(2026, 0, 1) + 60_000 * i).toISOString();
    Deno.writeFileSync(
      join(store.directory, "runs", `${plan.definition}-${seed}.json`),
      seal({ ...document, plan, created }),
    );
    const folder = join(store.directory, "reports", `${plan.definition}-${seed}`);
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(join(folder, "report.json"), JSON.stringify(report));
  }
}

function stageKey(key: string, entry: string, seed: number): StageKey {
  const runtime = { deno: "2", os: "linux", arch: "x86_64", threads: 2 };
  return {
    key,
    modules: { [entry]: sha256(entry) },
    preimage: {
      kind: "uplift/stage-key",
      version: 1,
      stage: entry,
      code: sha256(entry),
      packages: {},
      parameters: {},
      inputs: {},
      outputs: {},
      seed,
      runtime,
    },
  };
}
