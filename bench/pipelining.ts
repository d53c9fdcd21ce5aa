/**
 * What acting and evaluating beside the learner bring: the training stage of `pld-tabletop`, with its networks, lanes and
 * calls, by the sequential and by the pipelined schedule, in turns. An episode of evaluation comes on 100 environment steps,
 * as by default, but evaluations are shorter and more frequent. Timed is what lies between the first evaluation after the
 * start and the last: start-up and end are left out. Then the outputs of the pipelined stage on one and on two workers are
 * compared: other bytes are an error.
 *
 *     deno run -A bench/pipelining.ts [--device cpu|cuda] [--steps 1600] [--evaluate-every 800] [--episodes 8]
 *                                     [--workers 2] [--rounds 3] [--json]
 */
import { command, count, device, flag } from "./command.ts";
import { machine } from "./machine.ts";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { DEVICE } from "../engine/device.ts";
import { Learner } from "../engine/learner.ts";
import pldTabletop, { tabletop as world } from "../experiments/pld_tabletop.ts";
import { scenes } from "../envs/tabletop_tasks.ts";
import { UsageError } from "../lab/errors.ts";
import * as flow from "../policies/flow.ts";
import { stream } from "../random.ts";
import * as pld from "../rl/pld.ts";
import * as clone from "../stages/clone.ts";
import * as demonstrate from "../stages/demonstrate.ts";
import * as trainResidual from "../stages/train_residual.ts";
import { stateScale } from "../stages/transitions.ts";
import { artifact, attempt, digests } from "../tests/stage_context.ts";
import { median, ratio } from "./race.ts";

const EXECUTE = 8, HORIZON = 16;
/** Threads of an operator and environment workers, as in the lab, of what is not timed. */
const ALONE = { threads: 2, workers: 2 };
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
}

type Input = Parameters<typeof trainResidual.run>[0]["input"];

/** A base that is right now and then, its demonstrations as offline data, and a learner that knows nothing yet. */
async function prepare(): Promise<Input> {
  const told = { world, task, episodes: 12, first: 0, lanes: 4 };
  const { episodes: offline } = (await attempt(demonstrate, {}, told, ALONE)).output;
  const settings = flow.hyperparameters.parse({ steps: 800, warmup: 20, ema: 0.99 });
  const cloned = { tasks, horizon: HORIZON, flow: settings };
  const demonstrations = { demonstrations: [offline] };
  const { weights, normalization } = (await attempt(clone, demonstrations, cloned, ALONE)).output;
  const scale = stateScale(decodeEpisodes(await Deno.readFile(offline.path)), EXECUTE);
  const sizes = { state: scale.center.length, action: 7 };
  const bytes = encodeSafetensors(pld.initialize(stream(0, "bench"), sizes, learner));
  return { weights, normalization, offline, critic: await artifact("weights", bytes) };
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
  { steps, every, episodes }: Options,
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
    const trained = await attempt(trainResidual, input, {
      ...{ world, task, tasks, execute: EXECUTE, first: 1_000_000, learner },
      online: { steps, evaluateEvery: every, evaluationEpisodes: episodes, pipelined },
    }, {
      ...{ workers, threads: ALONE.threads },
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
    const outputs = JSON.stringify(Object.values(digests(trained)));
    const time = to - from;
    return {
      rate: 1000 * (steps - every) / time,
      busy: busy / time,
      spans,
      evaluated: evaluated / (steps - every),
      digests: outputs,
    };
  } finally {
    Learner.prototype.update = update;
  }
}

const options = {
  device: device(),
  steps: count(1600),
  "evaluate-every": count(800),
  episodes: count(8),
  workers: count(2),
  rounds: count(3),
  json: flag(),
};

await command(options, async ({ device, "evaluate-every": every, json, ...told }) => {
  const { steps, episodes, workers, rounds } = told;
  if (steps % every !== 0 || steps === every) {
    throw new UsageError(`Cannot time ${steps} steps: --steps must be twice --evaluate-every, or more times`);
  }
  const input = await prepare(); // on the CPU, so that every device trains from the same
  Object.defineProperty(globalThis, DEVICE, { value: device });
  const timed = { steps, every, episodes };
  const sequential: Run[] = [], pipelined: Run[] = [];
  for (let round = 0; round < rounds; round++) {
    sequential.push(await train(input, timed, { pipelined: false, workers }));
    pipelined.push(await train(input, timed, { pipelined: true, workers }));
  }
  const others = workers === 1 ? 2 : 1;
  const again = await train(input, timed, { pipelined: true, workers: others });
  const other = pipelined.find((run) => run.digests !== again.digests);
  if (other) {
    throw new Error(
      `Cannot repeat the pipelined stage: ${other.digests} on ${workers} workers, ${again.digests} on ${others}`,
    );
  }
  const rates = (runs: readonly Run[]) => runs.map(({ rate }) => rate);
  const gain = ratio(rates(pipelined), rates(sequential));
  const share = (span: keyof Spans) =>
    median(sequential.map(({ spans }) => spans[span] / Object.values(spans).reduce((a, b) => a + b)));
  const shares = Object.fromEntries(
    (Object.keys(sequential[0]!.spans) as (keyof Spans)[]).map((span) => [span, share(span)]),
  );
  const report = {
    stepsPerSecond: { sequential: median(rates(sequential)), pipelined: median(rates(pipelined)) },
    ratio: gain,
    shares,
    busy: median(pipelined.map(({ busy }) => busy)),
    evaluated: sequential[0]!.evaluated,
    digests: JSON.parse(again.digests),
  };
  if (json) {
    console.log(JSON.stringify({ machine: await machine(), device, every, ...told, ...report }));
    return;
  }
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
  const rate = (x: number) => `${x.toFixed(1).padStart(8)} environment steps/s   `;
  console.log(
    `training stage of pld-tabletop on ${device}, ${workers} workers, ${steps - every} environment steps, ` +
      `${report.evaluated.toFixed(2)} of evaluations for each; medians of ${rounds} interleaved rounds`,
  );
  const split = Object.entries(shares).map(([span, share]) => `${span} ${percent(share)}`).join(", ");
  console.log(`sequential ${rate(report.stepsPerSecond.sequential)}${split}`);
  console.log(
    `pipelined  ${rate(report.stepsPerSecond.pipelined)}${gain.toFixed(2)} x, ` +
      `the learner at work ${percent(report.busy)} of the time`,
  );
  console.log(`pipelined on ${workers} workers and on ${others}: the same bytes`);
});
