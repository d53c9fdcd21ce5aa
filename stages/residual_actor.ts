/** Specialists in lanes: the base's action of this very step, corrected by the residual of the lane's task. */
import { decodeNormalizations, type Normalization, normalize } from "../data/normalization.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import { Session, type SessionOptions } from "../engine/session.ts";
import type { Artifact } from "../lab/stage.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import { residualState } from "../policies/features.ts";
import { actorProgram, type Network, type Sizes } from "../rl/residual.ts";
import type { BaseActions } from "./online_lanes.ts";
import { ACTING_THREADS, type Actor, type Decision, type Lane } from "./rollout.ts";

const ACTION = 7;

/** Depth and width of a stored actor, read off its kernels. */
function networkOf(weights: Tensors): Network {
  const first = weights["actor/0/kernel"];
  if (!first) throw new Error('Cannot open a specialist: its weights hold no "actor/0/kernel"');
  let layers = 0;
  while (`actor/${layers}/kernel` in weights) layers++;
  return { layers, width: first.shape[1]!, layerNorm: "actor/0/gain" in weights };
}

/** The normalised state (S) that a learner sees in a lane: features, velocities, gripper, place in the chunk. */
export function learnerState(lane: Lane, phase: number, scale: Normalization): Float32Array {
  const raw = residualState(lane.observation, lane.plan.task, phase);
  return normalize(scale, ndarray([raw.length], raw)).data;
}

/** What corrects a base in lanes. */
export interface Residual extends AsyncDisposable {
  /**
   * Executed actions of the lanes that are given, [lanes, 7], deterministic; rows of the others are meaningless.
   *
   * @param phase place of a lane in the base's chunk, in [0, 1)
   */
  correct(
    lanes: readonly (Lane | undefined)[],
    phase: (lane: number) => number,
    bases: readonly (Float32Array | undefined)[],
  ): Promise<Float32Array>;
}

/** A residual actor opened for a batch of lanes. */
export class Specialist implements Residual {
  readonly #session: Session;
  readonly #lanes: number;
  readonly #sizes: Sizes;
  /** The z-score under which it sees states. */
  readonly scale: Normalization;
  /** Residual scale of each action dimension, [7]. */
  xi: NDArray;
  /** Actor weights by name; replace them to act with newer ones. */
  weights: Tensors;

  private constructor(
    session: Session,
    lanes: number,
    sizes: Sizes,
    weights: Tensors,
    scale: Normalization,
    xi: NDArray,
  ) {
    this.#session = session;
    this.#lanes = lanes;
    this.#sizes = sizes;
    this.weights = part(weights, "actor");
    this.scale = scale;
    this.xi = xi;
  }

  /**
   * Opens the actor among `weights`, which also hold its residual scale, "xi" [7].
   *
   * @throws {Error} when the weights hold no actor or no scale
   */
  static async open(
    { weights, scale, lanes, session: options = { threads: ACTING_THREADS } }: {
      weights: Tensors;
      scale: Normalization;
      lanes: number;
      session?: SessionOptions;
    },
  ): Promise<Specialist> {
    const { xi } = weights;
    if (!xi) throw new Error('Cannot open a specialist: its weights hold no residual scale "xi"');
    const sizes = { state: scale.center.length, action: ACTION };
    const program = actorProgram(lanes, sizes, networkOf(weights));
    const session = await Session.create(program, options);
    return new Specialist(session, lanes, sizes, weights, scale, xi);
  }

  /**
   * Executed actions of all lanes, [lanes, 7]: clip(base + xi tanh(u), -1, 1). Rows of empty lanes are meaningless.
   *
   * @param noise standard normal for exploration [lanes, 7]; left out, the action is deterministic
   */
  async act(
    states: readonly (Float32Array | undefined)[],
    bases: readonly (Float32Array | undefined)[],
    noise: NDArray = ndarray([this.#lanes, ACTION]),
  ): Promise<Float32Array> {
    const state = ndarray([this.#lanes, this.#sizes.state]), base = ndarray([this.#lanes, ACTION]);
    for (let lane = 0; lane < this.#lanes; lane++) {
      state.data.set(states[lane] ?? [], lane * this.#sizes.state);
      base.data.set(bases[lane] ?? [], lane * ACTION);
    }
    const { action } = await this.#session.run({ ...this.weights, state, base, noise, xi: this.xi });
    return action!.data;
  }

  correct(
    lanes: readonly (Lane | undefined)[],
    phase: (lane: number) => number,
    bases: readonly (Float32Array | undefined)[],
  ): Promise<Float32Array> {
    return this.act(lanes.map((lane) => lane && learnerState(lane, phase(lane.index), this.scale)), bases);
  }

  /** Disposes the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/** Specialists by task name, disposed together. */
export class Specialists {
  /** Specialists by the name of their task; empty for none. */
  readonly byTask: ReadonlyMap<string, Residual>;

  /** Takes over the specialists: they are disposed with this. */
  constructor(byTask: ReadonlyMap<string, Residual>) {
    this.byTask = byTask;
  }

  /** Disposes every specialist. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const specialist of this.byTask.values()) await specialist[Symbol.asyncDispose]();
  }
}

/** Opens one residual for `lanes` lanes from its weights and the scale of its states. */
export type OpenResidual = (
  stored: {
    readonly weights: Tensors;
    readonly scale: Normalization;
    readonly lanes: number;
    readonly session?: SessionOptions;
  },
) => Promise<Residual>;

/**
 * Opens one stored specialist for each task, or none at all.
 *
 * @param open how; left out: as one that sees states
 * @throws {Error} when there are some residuals but not one for each task
 */
export async function openSpecialists(
  { residuals, scales, tasks, lanes, open = Specialist.open }: {
    residuals: readonly Artifact[];
    scales: readonly Artifact[];
    tasks: readonly string[];
    lanes: number;
    open?: OpenResidual;
  },
): Promise<Specialists> {
  const byTask = new Map<string, Residual>();
  if (residuals.length > 0 && (residuals.length !== tasks.length || scales.length !== tasks.length)) {
    throw new Error(
      `Cannot open ${residuals.length} residuals with ${scales.length} scales for ${tasks.length} tasks: ` +
        "give one of each for every task, or none",
    );
  }
  const specialists = new Specialists(byTask);
  try {
    for (const [i, residual] of residuals.entries()) {
      const { tensors } = decodeSafetensors(await Deno.readFile(residual.path));
      const { state } = decodeNormalizations(await Deno.readFile(scales[i]!.path));
      if (!state) {
        throw new Error(`Cannot open the specialist of "${tasks[i]}": its normalization names no "state"`);
      }
      byTask.set(tasks[i]!, await open({ weights: tensors, scale: state, lanes }));
    }
  } catch (error) {
    await specialists[Symbol.asyncDispose]();
    throw error;
  }
  return specialists;
}

/** A base policy with specialists: without one for a lane's task, or before its hand-over, the base acts alone. */
export class ResidualActor implements Actor {
  readonly #base: BaseActions;
  readonly #specialists: Specialists;
  readonly #handOver: (lane: Lane) => number;

  /**
   * Acts with the specialists on top of the base; disposes neither.
   *
   * @param options.handOver control step of a lane's episode from which the residual acts; 0 by default
   */
  constructor(
    { base, specialists, handOver = () => 0 }: {
      base: BaseActions;
      specialists: Specialists;
      handOver?: (lane: Lane) => number;
    },
  ) {
    this.#base = base;
    this.#specialists = specialists;
    this.#handOver = handOver;
  }

  begin(lane: Lane): void {
    this.#base.begin(lane);
  }

  async act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]> {
    await this.#base.refresh(lanes);
    const bases = lanes.map((lane) => lane && this.#base.action(lane.index).slice());
    const actions = bases.slice();
    for (const [task, specialist] of this.#specialists.byTask) {
      const mine = lanes.map((lane) =>
        lane?.plan.task.name === task && lane.t >= this.#handOver(lane) ? lane : undefined
      );
      if (!mine.some((lane) => lane)) continue;
      const executed = await specialist.correct(mine, (lane) => this.#base.phase(lane), bases);
      for (const lane of mine) {
        if (lane) actions[lane.index] = executed.slice(lane.index * ACTION, (lane.index + 1) * ACTION);
      }
    }
    return lanes.map((lane) => {
      if (!lane) return undefined;
      this.#base.advance(lane.index);
      return { action: actions[lane.index]!, row: { base: bases[lane.index]! } };
    });
  }
}
