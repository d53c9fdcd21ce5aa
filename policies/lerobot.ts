/**
 * A LeRobot policy (pi0, pi0.5, SmolVLA, ACT) behind python/lerobot_bridge: chunks in physical units for batches of
 * observations, from noise that is sent along, so that equal noise draws equal chunks. It answers single observations in openpi's
 * words too, and so takes the place of a policy server.
 */
import { type BridgeCommand, type BridgeDeadlines, BridgeProcess } from "./lerobot_process.ts";
import { floats, isWireArray, type Wire, type WireArray, wireArray } from "./msgpack_numpy.ts";
import type { Message } from "./openpi.ts";

/** Which policy, and under which conditions. */
export interface LerobotOptions {
  /** Folder `pretrained_model` of a checkpoint. */
  readonly path: string;
  /**
   * Statistics of the data it is used on: LeRobot's meta/stats.json or openpi's norm_stats.json. "policy": those in its
   * processors are taken as they are.
   */
  readonly normStats: string;
  /** When they differ: refuse (unless told), keep the policy's own, or replace them by those that are given. */
  readonly mismatch?: "refuse" | "policy" | "given";
  /** Folder of its tokenizer, where the hub's name in the checkpoint is not to be looked up in the hub's cache. */
  readonly tokenizer?: string | undefined;
  /** "cpu" unless told: "cuda", "cuda:1". */
  readonly device?: string;
  /** Guidance s of a policy with a condition; left out: the condition is left out. */
  readonly guidance?: number | undefined;
  /** Euler steps; the policy's number unless told. */
  readonly steps?: number | undefined;
}

/** What the bridge says of an opened policy. */
export interface LerobotDescription {
  /** LeRobot's name of its type. */
  readonly type: string;
  /** Actions H of a chunk. */
  readonly horizon: number;
  /** Numbers A of an action. */
  readonly action_width: number;
  /** Numbers D of an action's noise; 0 where the policy draws none. */
  readonly noise_width: number;
  /** Numbers of the state. */
  readonly state_width: number;
  /** Cameras by name, [3, h, w]. */
  readonly images: Readonly<Record<string, readonly number[]>>;
  /** Euler steps unless told. */
  readonly steps: number;
  /** LeRobot's mode of normalisation by feature. */
  readonly normalization: Readonly<Record<string, string>>;
  /** "equal" to those given, "given" or "the policy's". */
  readonly statistics: string;
}

/** A batch of observations in LeRobot's names. */
export interface LerobotBatch {
  /** Pictures [B, h, w, 3] of bytes and vectors [B, n] by feature. */
  readonly observation: Readonly<Record<string, WireArray>>;
  /** The task's words, one for each row. */
  readonly tasks: readonly string[];
  /** ε, [B, H, D], or [B, N, H, D] for N chunks of each row (best of N); left out for policies without noise. */
  readonly noise?: WireArray | undefined;
}

/** A running policy. One question at a time. Close it with `await using`. */
export class LerobotPolicy {
  readonly #process: BridgeProcess;
  readonly #steps: number | undefined;
  /** What it is. */
  readonly description: LerobotDescription;
  /** Versions of the packages behind it. */
  readonly versions: Readonly<Record<string, Wire>>;

  private constructor(
    process: BridgeProcess,
    description: LerobotDescription,
    versions: Readonly<Record<string, Wire>>,
    steps: number | undefined,
  ) {
    this.#process = process;
    this.description = description;
    this.versions = versions;
    this.#steps = steps;
  }

  /**
   * Starts a process and loads the policy.
   *
   * @throws {Error} when Python or the policy cannot be started, or the statistics do not match; one line with the mend
   */
  static async open(
    command: BridgeCommand,
    options: LerobotOptions,
    deadlines?: BridgeDeadlines,
  ): Promise<LerobotPolicy> {
    const process = new BridgeProcess(command, deadlines);
    try {
      const { versions } = await process.request("hello");
      const { policy } = await process.request("open", {
        path: options.path,
        norm_stats: options.normStats === "policy" ? null : options.normStats,
        mismatch: options.mismatch ?? "refuse",
        tokenizer: options.tokenizer ?? null,
        device: options.device ?? "cpu",
        guidance: options.guidance ?? null,
      });
      const description = policy as unknown as LerobotDescription;
      return new LerobotPolicy(
        process,
        description,
        versions as Readonly<Record<string, Wire>>,
        options.steps,
      );
    } catch (error) {
      await process.close();
      throw error;
    }
  }

  /** Number of the process, for tests that harm it. */
  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Chunks in physical units: [B, H, A], or [B, N, H, A] where the noise has N draws.
   *
   * @throws {Error} when something of the batch does not fit the policy, or the process is lost
   */
  async sampleActions(
    { observation, tasks, noise }: LerobotBatch,
  ): Promise<{ shape: number[]; data: Float32Array }> {
    const { actions } = await this.#process.request("sample", {
      observation: { ...observation },
      tasks: [...tasks],
      noise: noise ?? null,
      steps: this.#steps ?? null,
    });
    if (!isWireArray(actions)) {
      throw new Error("Cannot use the answer of the LeRobot process: it has no actions");
    }
    return { shape: [...actions.shape], data: floats(actions) };
  }

  /**
   * The answer to one observation in openpi's words (`liberoObservation`): what a policy server would say. The first camera of
   * the policy is the one over the table, the second the one on the wrist.
   *
   * @throws {Error} as `sampleActions`, or when the observation is not such a one
   */
  async infer(observation: Message): Promise<Message> {
    const { batch, noise } = lerobotBatch(observation, this.description);
    const { shape, data } = await this.sampleActions({ ...batch, noise });
    return { actions: wireArray(shape.slice(1), data) };
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.close();
  }
}

/**
 * One observation in openpi's words as a batch of one in LeRobot's.
 *
 * @throws {Error} when it lacks something that the policy reads
 */
export function lerobotBatch(
  observation: Message,
  { images, noise_width }: Pick<LerobotDescription, "images" | "noise_width">,
): { batch: LerobotBatch; noise: WireArray | undefined } {
  const needed = (name: string): WireArray => {
    const value = observation[name];
    if (!isWireArray(value)) throw new Error(`Cannot ask a LeRobot policy without "${name}" as an array`);
    return { ...value, shape: [1, ...value.shape] };
  };
  const { prompt } = observation;
  if (typeof prompt !== "string") throw new Error('Cannot ask a LeRobot policy without the text "prompt"');
  // A third camera ("empty_camera_0") is one that the policy masks.
  const cameras = Object.keys(images).filter((name) => !name.includes("empty_camera"));
  const sides = ["observation/image", "observation/wrist_image"];
  const pictures = cameras.slice(0, 2).map((name, i) => [name, needed(sides[i]!)] as const);
  const state = needed("observation/state");
  const width = state.shape[1]!;
  return {
    batch: {
      observation: {
        ...Object.fromEntries(pictures),
        "observation.state": wireArray([1, width], floats(state)),
      },
      tasks: [prompt],
    },
    noise: noise_width === 0 ? undefined : needed("noise"),
  };
}
