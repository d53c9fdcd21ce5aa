/**
 * Evaluation protocols of LIBERO in the field. Numbers under different protocols must not be set side by side, so every
 * number is printed with its protocol. One thing is the same under all of them here: each episode is seeded by itself
 * (seed, reset, initial state, settle), since the poses of fixtures are redrawn at every reset and are not part of the
 * initial state. A harness that seeds once evaluates another scene for each order of episodes.
 */
import { createHash } from "node:crypto";
import type { InitialState } from "./environment.ts";

/** Names of the presets. */
export const protocolNames = ["ours", "openpi", "lerobot-0.6", "vla-eval-0.4"] as const;

/** Name of a preset. */
export type ProtocolName = typeof protocolNames[number];

/** A camera to render. */
export interface Camera {
  /** Its name in LIBERO: "agentview", "robot0_eye_in_hand". */
  readonly name: string;
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** What draws pictures: OSMesa on the CPU, EGL on a GPU (or in software, where there is none). */
export type Renderer = "osmesa" | "egl";

/** How a suite is evaluated. */
export interface Protocol {
  /** Name of the preset. */
  readonly name: ProtocolName;
  /** Step budget by suite, without the settle steps: an episode without success ends after so many. */
  readonly steps: Readonly<Record<string, number>>;
  /** Steps of doing nothing after a reset, in which objects fall to rest. The policy sees none of them. */
  readonly settle: number;
  /** Episodes a task. */
  readonly trials: number;
  /** Seed of an evaluation episode by its index, or "hash": see `episodeSeed`. */
  readonly seed: "hash" | ((index: number) => number);
  /** The seed rule in words. */
  readonly seedRule: string;
  /** Height and width of the pictures, pixels. */
  readonly resolution: number;
  /** Actions of a chunk that are executed before the policy is asked again; null: the policy's own number. */
  readonly replan: number | null;
  /** Where the numbers were read. */
  readonly source: string;
}

/** The budgets that openpi, OpenVLA-OFT and vla-eval share: somewhat more than the longest demonstration. */
const openpiSteps = {
  libero_spatial: 220,
  libero_object: 280,
  libero_goal: 300,
  libero_10: 520,
  libero_90: 400,
} as const;

/**
 * The presets by name.
 *
 * - `ours`: openpi's budgets, 50 fixed states a task, a seed for every episode from a hash of its key.
 * - `openpi`: `examples/libero/main.py`. There the settle steps are counted, but the bound is raised by as many, so the
 *   policy has the same budget. There `env.seed(7)` is called once a task and the scene of episode k depends on the
 *   number of resets before it; here every episode is seeded with 7, the scene of each task's first one.
 * - `lerobot-0.6`: `src/lerobot/envs/libero.py` and `lerobot-eval`. libero_spatial has 280 steps. There episode k is
 *   seeded with 1000 + k, as here; there environments that run side by side take the states in turns, here the index
 *   of the state is the number of the episode. 10 episodes a task as its published numbers have, of 50 states.
 * - `vla-eval-0.4`: `src/vla_eval/benchmarks/libero/benchmark.py`. Seeded once with 7 there, per episode here.
 */
export const protocols: Readonly<Record<ProtocolName, Protocol>> = {
  ours: {
    name: "ours",
    steps: openpiSteps,
    settle: 10,
    trials: 50,
    seed: "hash",
    seedRule: "every episode by SHA-256 of suite, task, split and index",
    resolution: 256,
    replan: null,
    source: "this project",
  },
  openpi: {
    name: "openpi",
    steps: openpiSteps,
    settle: 10,
    trials: 50,
    seed: () => 7,
    seedRule: "7, set for every episode (openpi: once a task)",
    resolution: 256, // resized to 224 with padding by openpi's client, on the policy's side
    replan: 5,
    source: "openpi examples/libero/main.py",
  },
  "lerobot-0.6": {
    name: "lerobot-0.6",
    steps: { ...openpiSteps, libero_spatial: 280 },
    settle: 10,
    trials: 10,
    seed: (index) => 1000 + index,
    seedRule: "1000 + index of the episode",
    resolution: 360,
    replan: null,
    source: "lerobot src/lerobot/envs/libero.py, docs/source/libero.mdx",
  },
  "vla-eval-0.4": {
    name: "vla-eval-0.4",
    steps: openpiSteps,
    settle: 10,
    trials: 50,
    seed: () => 7,
    seedRule: "7, set for every episode (vla-eval: once)",
    resolution: 256,
    replan: null,
    source: "vla-eval src/vla_eval/benchmarks/libero/benchmark.py",
  },
};

/** Step budget of a suite, control steps. A suite that the protocol does not know gets its longest budget. */
export function stepBudget({ steps }: Protocol, suite: string): number {
  return Object.hasOwn(steps, suite) ? steps[suite]! : Math.max(...Object.values(steps));
}

/**
 * Seed of an episode, 0 ... 2^31 - 1: for evaluation by the protocol's rule, otherwise the first 31 bits of SHA-256 of
 * "suite/task/split/index". Training episodes always take the hash: they have no counterpart in the field, and under a
 * constant seed all of them would be one and the same.
 */
export function episodeSeed(protocol: Protocol, suite: string, task: string, state: InitialState): number {
  const { split, index } = state;
  if (split === "evaluation" && protocol.seed !== "hash") return protocol.seed(index);
  return createHash("sha256").update(`${suite}/${task}/${split}/${index}`).digest().readUInt32BE(0) >>> 1;
}

/** What a report says of the world of its numbers, in one line. */
export function describeProtocol(
  protocol: Protocol,
  suite: string,
  cameras: readonly Camera[],
  renderer: Renderer = "osmesa",
): string {
  const { name, settle, trials, seedRule, replan, source } = protocol;
  const known = Object.hasOwn(protocol.steps, suite) ? "" : " (the longest budget: the suite is not known)";
  const sees = cameras.length === 0
    ? "state-based observations (proprioception and object poses), no images"
    : `images of ${
      cameras.map(({ name, width, height }) => `${name} (${width} x ${height})`).join(" and ")
    } by ${renderer} beside the state`;
  return `LIBERO ${suite}, protocol ${name} (${source}): ${stepBudget(protocol, suite)} steps${known}, ` +
    `${settle} settle steps before them, ${trials} trials a task, seed ${seedRule}, ` +
    `${replan === null ? "replanning as the policy says" : `replanning every ${replan} steps`}, ${sees}`;
}
