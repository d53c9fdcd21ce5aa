/**
 * What acting and evaluating beside the learner bring: the training stage of `pld-tabletop`, with its networks, lanes and
 * calls, by the sequential and by the pipelined schedule, in turns. Evaluations are as frequent as by default for the
 * environment steps between them, with as many episodes. Timed is what lies between the first evaluation after the start
 * and the last: start-up and end are left out. Then the outputs of the pipelined stage on one and on two workers are
 * compared; another number of bytes is an error.
 *
 *     deno run -A bench/pipelining.ts [--device cpu|cuda] [--steps 1600] [--evaluate-every 800] [--episodes 8]
 *                                     [--workers 2] [--rounds 3] [--json]
 */
import { parseArgs } from "node:util";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { DEVICE } from "../engine/device.ts";
import { Learner } from "../engine/learner.ts";
import pldTabletop, { tabletop as world } from "../experiments/pld_tabletop.ts";
import { scenes } from "../envs/tabletop_tasks.ts";
import { mediaTypes } from "../lab/stage.ts";
import * as flow from "../policies/flow.ts";
import { stream } from "../random.ts";
import * as pld from "../rl/pld.ts";
import * as clone from "../stages/clone.ts";
import * as demonstrate from "../stages/demonstrate.ts";
import * as trainResidual from "../stages/train_residual.ts";
import { stateScale } from "../stages/transitions.ts";
import { runStage } from "./plain_stage.ts";
import { median } from "./race.ts";

const EXECUTE = 8, HORIZON = 16;
const task = scenes[0]!.task.name, tasks = [task];

/** The experiment's values of a group of hyperparameters. */
const overridden = (group: string) =>
  Object.fromEntries(
    (pldTabletop.overrides ?? []).filter(({ path }) => path.startsWith(`${group}.`))
      .map(({ path, value }) => [path.slice(group.length + 1), value]),
  );

/** Those of the learner; a fresh specialist of short reach acts much as its base does, and learns at once. */
const learner = pld.hyperparameters.parse({
  ...Object.fromEntries(Object.entries(overridden("learner")).filter(([name]) => !name.includes("."))),
  warmupEpisodes: 0,
  xi: 0.05,
  xiSchedule: { from: 0.05, steps: 0 },
});

interface Options {
  readonly steps: number;
  readonly every: number;
  readonly episodes: number;
  readonly folder: string;
}

type Input = Parameters<typeof trainResidual.run>[0]["input"];

/** A base that is right now and then, its demonstrations as offline data, and a learner that knows nothing yet. */
async function prepare(folder: string): Promise<Input> {
  const told = { world, task, episodes: 12, first: 0, lanes: 4 };
  const { episodes: offline } = await runStage(demonstrate, {}, told, { folder });
  const settings = flow.hyperparameters.parse({ steps: 800, warmup: 20, ema: 0.99 });
  const cloned = { tasks, horizon: HORIZON, flow: settings };
  const { weights, normalization } = await runStage(clone, { demonstrations: [offline] }, cloned, { folder });
  const scale = stateScale(decodeEpisodes(await Deno.readFile(offline.path)), EXECUTE);
  const sizes = { state: scale.center.length, action: 7 };
  const bytes = encodeSafetensors(pld.initialize(stream(0, "bench"), sizes, learner));
  const path = `${folder}/critic`;
  await Deno.writeFile(path, bytes);
  const critic = { path, digest: "critic", bytes: bytes.length, mediaType: mediaTypes.weights };
  return { weights, normalization, offline, critic };
}

/** Milliseconds of the time between the first evaluation after the start and the last, by what ended then. */
type Spans = Record<"acting" | "drawing" | "learning" | "evaluating" | "rest", number>;

interface Run {
  /** Environment steps a second of the training. */
  readonly rate: number;
  /** Share of the time that a call of the learner was under way. */
  readonly busy: number;
  /** Where the time of the sequential schedule went: meaningless of the other. */
  readonly spans: Spans;
  /** Environment steps of evaluations for each of the training. */
  readonly evaluated: number;
  /** Digests of the outputs, by name. */
  readonly digests: string;
}

async function train(
  input: Input,
  { steps, every, episodes, folder }: Options,
  { pipelined, workers }: { pipelined: boolean; workers: number },
): Promise<Run> {
  const spans: Spans = { acting: 0, drawing: 0, learning: 0, evaluating: 0, rest: 0 };
  const lanes = trainResidual.online.parse({}).lanes;
  let from = NaN, to = NaN, last = NaN, busy = 0, evaluated = 0;
  const mark = (span: keyof Spans) => {
    const now = performance.now();
    if (!Number.isNaN(from)) spans[span] += now - last;
    last = now;
  };
  const { update } = Learner.prototype;
  Learner.prototype.update = async function (batches) {
    const start = performance.now();
    const metrics = await update.call(this, batches);
    if (!Number.isNaN(from)) busy += performance.now() - Math.max(from, start);
    mark("learning");
    return metrics;
  };
  try {
    const output = await runStage(trainResidual, input, {
      ...{ world, task, tasks, execute: EXECUTE, first: 1_000_000, learner },
      online: { steps, evaluateEvery: every, evaluationEpisodes: episodes, pipelined },
    }, {
      ...{ folder, workers },
      spent: ({ environmentSteps = 0, gradientSteps = 0 }) => {
        if (environmentSteps > lanes && !Number.isNaN(from)) evaluated += environmentSteps;
        mark(gradientSteps > 0 ? "drawing" : environmentSteps > lanes ? "evaluating" : "acting");
      },
      progressed: ({ done }) => {
        mark("rest");
        if (done === every) from = last;
        if (done === steps) to = last;
      },
    });
    const digests = JSON.stringify(Object.values(output).map(({ digest }) => digest));
    const time = to - from;
    return {
      rate: 1000 * (steps - every) / time,
      busy: busy / time,
      spans,
      evaluated: evaluated / (steps - every),
      digests,
    };
  } finally {
    Learner.prototype.update = update;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      device: { type: "string", default: "cpu" },
      steps: { type: "string", default: "1600" },
      "evaluate-every": { type: "string", default: "800" },
      episodes: { type: "string", default: "8" },
      workers: { type: "string", default: "2" },
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
    },
  });
  const { device } = values;
  const folder = await Deno.makeTempDir({ prefix: "uplift-bench-" });
  try {
    const input = await prepare(folder); // on the CPU, so that every device trains from the same
    Object.defineProperty(globalThis, DEVICE, { value: device });
    const [steps, every, episodes] = [values.steps, values["evaluate-every"], values.episodes].map(
      Number,
    ) as [
      number,
      number,
      number,
    ];
    const options = { steps, every, episodes, folder };
    const workers = Number(values.workers), rounds = Number(values.rounds);
    const runs: Record<"sequential" | "pipelined", Run[]> = { sequential: [], pipelined: [] };
    for (let round = 0; round < rounds; round++) {
      runs.sequential.push(await train(input, options, { pipelined: false, workers }));
      runs.pipelined.push(await train(input, options, { pipelined: true, workers }));
    }
    const alone = await train(input, options, { pipelined: true, workers: workers === 1 ? 2 : 1 });
    for (const { digests } of runs.pipelined) {
      if (digests !== alone.digests) {
        throw new Error(
          `Cannot repeat the pipelined stage: ${digests}, then ${alone.digests} on other workers`,
        );
      }
    }
    const ratio = median(runs.pipelined.map(({ rate }, i) => rate / runs.sequential[i]!.rate));
    const rates = Object.fromEntries(
      Object.entries(runs).map(([name, list]) => [name, median(list.map(({ rate }) => rate))]),
    );
    const whole = runs.sequential.map(({ spans }) => Object.values(spans).reduce((a, b) => a + b));
    const shares = Object.fromEntries(
      (Object.keys(runs.sequential[0]!.spans) as (keyof Spans)[]).map((span) => [
        span,
        median(runs.sequential.map(({ spans }, i) => spans[span] / whole[i]!)),
      ]),
    );
    const busy = median(runs.pipelined.map(({ busy }) => busy));
    const { evaluated } = runs.sequential[0]!;
    if (values.json) {
      const settings = { device, steps, every, episodes, workers, rounds };
      console.log(
        JSON.stringify({ ...settings, rates, ratio, shares, busy, evaluated, digests: alone.digests }),
      );
      return;
    }
    const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
    console.log(
      `training stage of pld-tabletop on ${device}, ${workers} workers, ${
        steps - every
      } environment steps timed, ` +
        `${evaluated.toFixed(2)} of evaluations for each; medians of ${rounds} interleaved rounds`,
    );
    const split = Object.entries(shares).map(([span, share]) => `${span} ${percent(share)}`).join(", ");
    console.log(`sequential ${rates.sequential!.toFixed(1).padStart(8)} environment steps/s   ${split}`);
    console.log(
      `pipelined  ${rates.pipelined!.toFixed(1).padStart(8)} environment steps/s   ${ratio.toFixed(2)} x, ` +
        `the learner at work ${percent(busy)} of the time`,
    );
    console.log("pipelined on one worker and on two: the same bytes");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
});
Deno.exit(0); // not through the exit handlers of CUDA's libraries
