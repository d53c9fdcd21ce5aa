/**
 * What the stages that steer a frozen policy share: queries as transitions, a start with N(0, I) noise, updates per
 * query, deterministic evaluations. A method brings its update and what it stores.
 */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import type { Normalization } from "../data/normalization.ts";
import { Replay, type RowShapes } from "../data/replay.ts";
import { Learner } from "../engine/learner.ts";
import type { Program } from "../engine/program.ts";
import type { SessionOptions } from "../engine/session.ts";
import type { Shapes } from "../engine/trace.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { FlowPolicy } from "../policies/policy.ts";
import { type Stream, stream } from "../random.ts";
import { noiseRows, steeringNoise } from "../rl/steering_noise.ts";
import { readPolicy, type StoredPolicy } from "./chunked_base.ts";
import { everyTransitions } from "./learner_calls.ts";
import { resume } from "./online_checkpoint.ts";
import { learnOnline } from "./online_learning.ts";
import { budget, type outputs, writeTrained } from "./online_outputs.ts";
import { QueryLanes, type SteeredChunks } from "./query_lanes.ts";
import { acting, type Actor, trainingSuccess } from "./rollout.ts";
import { SteeredBase, type Steering } from "./steered_base.ts";
import { stateScale } from "./transitions.ts";
import { openWorld, type World, world } from "./world.ts";

const ACTION = 7;

/** The base and its units; episodes whose states set the scale, of which nothing else is taken. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  demonstrations: "episodes",
} as const;

/** Settings of the online phase; defaults of the public LIBERO script. */
export const online = z.strictObject({
  ...budget,
  steps: budget.steps.removeDefault().default(500_000),
  lanes: budget.lanes.removeDefault().default(1),
  evaluateEvery: budget.evaluateEvery.removeDefault().default(10_000),
  evaluationEpisodes: budget.evaluationEpisodes.removeDefault().default(10),
  updatesPerQuery: z.number().positive().default(20).describe("critic updates for each stored query"),
  start: z.int().min(1).default(500).describe("queries collected with N(0, I) noise before the first update"),
});

/** What these stages are told, beside their method's hyperparameters. */
export const parameters = {
  world,
  task: z.string().describe("the task"),
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the base's one-hot input"),
  execute: z.int().min(1).max(64).describe("actions executed between two queries of the base"),
  first: z.int().min(0).describe("first training initial state; evaluations start 1,000,000 later"),
  noise: steeringNoise.describe("shape of w"),
  online,
} as const;

/** The parameters as a stage gets them. */
export type Parameters = z.output<z.ZodObject<typeof parameters>>;

/** A learned steering whose weights can be replaced. */
export interface LearnedSteering extends Steering, AsyncDisposable {
  /** Acts with newer weights from now on. */
  set weights(weights: Tensors);
  /** Whether w is sampled; otherwise it is deterministic. */
  sampled: boolean;
}

/** Widths that a method is built for. */
export interface SteeringSizes {
  /** Numbers of a state, S. */
  readonly state: number;
  /** Numbers of w, W. */
  readonly noise: number;
  /** Numbers the base sees, F. */
  readonly features: number;
  /** Numbers of an executed chunk, C. */
  readonly action: number;
  /** Rows of w, R. */
  readonly rows: number;
  /** Actions of a chunk, H. */
  readonly horizon: number;
}

/** What a method brings. */
export interface SteeringMethod {
  /** The update, of `compileUpdate`. */
  readonly program: Program;
  /** Shapes of one iteration's batch. */
  readonly batch: Shapes;
  /** Columns of the replay, of those that `QueryLanes` makes and "reward" []. */
  readonly columns: RowShapes;
  /** Those of them that hold images, stored as bytes; none unless said. */
  readonly bytes?: readonly string[];
  /** Critic updates in one iteration of the program. */
  readonly criticUpdates: number;
  /** A fresh learner state. */
  initialize(draws: Stream): Tensors;
  /** Fills what is drawn rather than stored in `batches`, [K, ...]. */
  draw(batches: Tensors, noise: Stream): void;
  /** Opens the actor among `weights` for `lanes` rows. */
  open(weights: Tensors, lanes: number, session: SessionOptions): Promise<LearnedSteering>;
}

/** What the frame reads of a method's hyperparameters. */
export interface SteeringHyperparameters {
  /** Capacity of the replay. */
  readonly buffer: number;
  /** Discount of a control step. */
  readonly gamma: number;
  /** Reward of a success before the bias. */
  readonly rewardScale: number;
  /** Reward of every query. */
  readonly rewardBias: number;
}

/** Trains a steering of the base and writes the state of its best evaluation. */
export async function trainSteering(
  context: StageContext<typeof inputs, typeof outputs, Parameters>,
  { hyperparameters: h, method: build }: {
    hyperparameters: SteeringHyperparameters;
    method: (sizes: SteeringSizes, scale: Normalization, base: StoredPolicy) => SteeringMethod;
  },
): Promise<void> {
  const { parameters: p, input, seed } = context;
  const { tasks, noise, execute } = p, lanes = p.online.lanes;
  const simulated = await openWorld(p.world);
  const scale = stateScale(decodeEpisodes(await Deno.readFile(input.demonstrations.path)), 1);
  const stored = await readPolicy(input.weights, input.normalization);
  await using policy = await FlowPolicy.open(stored.weights, stored.normalization, {
    ...acting(p.online),
    batch: lanes,
    execute,
  });
  const { horizon, sizes: { features } } = policy, rows = noiseRows(noise, horizon);
  const widths = { state: scale.center.length, noise: rows * ACTION, features, action: execute * ACTION };
  await steer(context, {
    ...p,
    hyperparameters: h,
    method: build({ ...widths, rows, horizon }, scale, stored),
    scale,
    simulated,
    base: (steering) => new SteeredBase(policy, { noise, seed, tasks, steering }),
  });
}

/** The online phase of a steered policy, wherever its chunks come from; writes the state of its best evaluation. */
export async function steer(
  context: Omit<StageContext<Record<string, never>, typeof outputs, unknown>, "parameters" | "input">,
  { hyperparameters: h, method, scale, simulated, base: steered, task: name, first, online: o }: {
    readonly hyperparameters: SteeringHyperparameters;
    readonly method: SteeringMethod;
    /** Of the learner's states. */
    readonly scale: Normalization;
    readonly simulated: World;
    /** The policy under a steering, over all lanes. */
    readonly base: (steering: Steering) => SteeredChunks & Actor;
    readonly task: string;
    readonly first: number;
    readonly online: z.output<typeof online>;
  },
): Promise<void> {
  const { seed } = context, lanes = o.lanes;
  const task = simulated.task(name);
  const resumed = await resume(context);
  const replay = resumed
    ? Replay.fromTensors(resumed.tensors, "replay/")
    : new Replay(h.buffer, method.columns, { bytes: method.bytes ?? [] });
  const initial = resumed?.learner ?? method.initialize(stream(seed, "steering", "initialize"));
  await using learner = await Learner.create(method.program, initial, {
    threads: context.threads,
    concurrent: o.pipelined,
  });
  await using actor = await method.open(initial, lanes, acting(o));
  await using judged = await method.open(initial, lanes, acting(o));
  judged.sampled = false;
  await using pool = await simulated.pool({ lanes, workers: context.workers });
  await using evaluationPool = await simulated.pool({ lanes, workers: context.workers });
  // Nothing has been learned before the start: w is then the draw itself, as the base would take it.
  const exploring: Steering = {
    observe: (lane) => actor.observe(lane),
    choose: (observed, draws) =>
      replay.added < o.start ? Promise.resolve(draws) : actor.choose(observed, draws),
  };
  const base = steered(exploring), evaluated = steered(judged);
  const running = await QueryLanes.open({
    pool,
    base,
    task,
    first,
    size: lanes,
    gamma: h.gamma,
    ...(resumed ? { snapshot: resumed.tensors } : {}),
  });

  const { weights, curve } = await learnOnline(context, {
    schedule: {
      steps: o.steps,
      lanes,
      iterations: o.iterations,
      calls: everyTransitions({
        start: o.start,
        updates: o.updatesPerQuery,
        perCall: o.iterations * method.criticUpdates,
      }),
      evaluateEvery: o.evaluateEvery,
      evaluationEpisodes: o.evaluationEpisodes,
      selectFrom: o.selectFrom * o.steps,
      pipelined: o.pipelined,
    },
    lanes: running,
    resumed,
    method: {
      learner,
      acting: ["actor"],
      criticUpdates: method.criticUpdates,
      replay,
      evaluate: (state, _, signal) => {
        judged.weights = state;
        const pooled = { pool: evaluationPool, lanes, task, first, signal };
        return trainingSuccess({ ...pooled, actor: evaluated, episodes: o.evaluationEpisodes });
      },
      beside: () => ({}),
      batches: (iterations, draw, noises) => {
        const batches = Object.fromEntries(
          Object.entries(method.batch).map(([name, shape]) => [name, ndarray([iterations, ...shape])]),
        );
        const columns = Object.fromEntries(
          Object.keys(method.columns).filter((name) => batches[name]).map((name) => [name, batches[name]!]),
        );
        replay.sample(draw, columns, 0, batches.reward!.data.length);
        method.draw(batches, noises);
        return batches;
      },
      round: ({ weights }) => {
        actor.weights = weights;
        return running.step();
      },
      store: (transition) => {
        const reward = h.rewardBias + (transition.terminated![0] ? h.rewardScale : 0);
        const row: Record<string, ArrayLike<number>> = { ...transition, reward: [reward] };
        replay.add(Object.fromEntries(Object.keys(method.columns).map((name) => [name, row[name]!])));
      },
    },
  });
  await writeTrained(context, { weights, scale, curve });
}
