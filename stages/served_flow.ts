/** A stored policy as openpi's protocol asks it: an observation with the numbers it was trained on, a chunk of actions back. */
import { decodeNormalizations } from "../data/normalization.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import { ndarray } from "../ndarray.ts";
import type { ChunkPolicy } from "../policies/chunk_policy.ts";
import { FEATURES } from "../policies/features.ts";
import { CONDITION, guided } from "../policies/guided.ts";
import { LaplacePolicy } from "../policies/laplace_policy.ts";
import { floats, isWireArray, wireArray } from "../policies/msgpack_numpy.ts";
import type { Message } from "../policies/openpi.ts";
import type { Place, Served } from "../policies/openpi_server.ts";
import { FlowPolicy } from "../policies/policy.ts";
import { stream } from "../random.ts";

const ACTION = 7;

/** A stored policy, and how it answers. */
export interface StoredPolicyOptions {
  /** Its weights, a safetensors file. */
  readonly weights: { readonly digest: string; readonly bytes: Uint8Array };
  /** Its units. */
  readonly normalization: { readonly digest: string; readonly bytes: Uint8Array };
  /** Tasks in the order of its one-hot input; one or none where it has no such input. */
  readonly tasks: readonly string[];
  /** Guidance s of a policy with a condition; 1 unless told. */
  readonly guidance?: number | undefined;
  /** Seed of the noise where a client sends none. */
  readonly seed: number;
}

/**
 * Opens a stored policy: a flow policy, one under guidance, or a Laplace policy (its mean acts where no noise is sent).
 *
 * @throws {Error} when the weights are no such policy's
 */
export async function openServed(options: StoredPolicyOptions): Promise<Served & AsyncDisposable> {
  const { weights, normalization, tasks, seed } = options;
  const { tensors } = decodeSafetensors(weights.bytes);
  const { features, actions } = decodeNormalizations(normalization.bytes);
  if (!features || !actions) {
    throw new Error(`Cannot serve ${weights.digest}: its normalization must name "features" and "actions"`);
  }
  const one = { batch: 1, execute: 1, threads: 1 } as const;
  const units = { features, actions };
  const condition = CONDITION in tensors;
  const kind = "mean/out/bias" in tensors
    ? "laplace"
    : !("velocity/out/bias" in tensors)
    ? undefined
    : condition
    ? "guided"
    : "flow";
  if (kind === undefined) {
    throw new Error(
      `Cannot serve ${weights.digest}: it holds no policy that answers with chunks (of a flow, "velocity/...", or a Laplace ` +
        'policy, "mean/..."); serve what was distilled from it',
    );
  }
  if (options.guidance !== undefined && kind !== "guided") {
    throw new Error(`Cannot guide a ${kind} policy: only one with a condition takes a guidance`);
  }
  const guidance = options.guidance ?? 1;
  const policy: ChunkPolicy = kind === "laplace"
    ? await LaplacePolicy.open(tensors, units, { ...one, act: "mean" })
    : await FlowPolicy.open(tensors, units, { ...one, ...(condition ? { sampler: guided(guidance) } : {}) });
  const { horizon, sizes: { features: inputs } } = policy;
  const noiseShape = [1, horizon, ACTION];
  const metadata: Message = {
    policy: kind,
    weights: weights.digest,
    normalization: normalization.digest,
    ...(condition ? { guidance } : {}),
    state: inputs,
    actions: [horizon, ACTION],
    noise: [horizon, ACTION],
    tasks,
    seed,
  };
  return {
    metadata,
    async infer(observation: Message, { connection, question }: Place): Promise<Message> {
      const seen = ndarray([1, inputs], stateOf(observation, inputs, tasks));
      const noise = ndarray(noiseShape, noiseOf(observation, horizon));
      if (!("noise" in observation)) {
        const draws = stream(seed, "serve", connection, question);
        if (policy.drawNoise) policy.drawNoise(draws, noise.data);
        else draws.fillNormal(noise.data);
      }
      const { data } = await policy.sample(seen, noise);
      return { actions: wireArray([horizon, ACTION], data.slice()) };
    },
    [Symbol.asyncDispose]: () => policy[Symbol.asyncDispose](),
  };
}

/** The numbers that the policy sees, [F]; the one-hot of the task is made from the prompt where it was left out. */
function stateOf(observation: Message, inputs: number, tasks: readonly string[]): Float32Array {
  const name = "observation/state";
  const state = observation[name];
  const wanted = `an array of ${inputs} numbers, as policies/features.ts makes them`;
  if (!isWireArray(state)) {
    throw new Error(`Cannot act without "${name}": it must be ${wanted}`);
  }
  const numbers = floats(state);
  if (!numbers.every(Number.isFinite)) throw new Error(`Cannot act on "${name}": not all of it is finite`);
  if (numbers.length === inputs) return numbers;
  if (numbers.length !== FEATURES || inputs !== FEATURES + tasks.length) {
    throw new Error(`Cannot act on "${name}" of shape [${state.shape}]: it must be ${wanted}`);
  }
  const at = tasks.indexOf(String(observation.prompt));
  if (at < 0) {
    throw new Error(
      `Cannot act in task "${observation.prompt}": "prompt" must be one of ${tasks.join(", ")}`,
    );
  }
  const whole = new Float32Array(inputs);
  whole.set(numbers);
  whole[FEATURES + at] = 1;
  return whole;
}

/** The initial noise [H, A] that was sent along, zeros where none was. */
function noiseOf({ noise }: Message, horizon: number): Float32Array {
  if (noise === undefined) return new Float32Array(horizon * ACTION);
  const shape = isWireArray(noise) ? noise.shape.join() : "";
  if (!isWireArray(noise) || (shape !== `${horizon},${ACTION}` && shape !== `1,${horizon},${ACTION}`)) {
    throw new Error(
      `Cannot start from "noise"${shape && ` of shape [${shape}]`}: it must be [${horizon}, ${ACTION}]`,
    );
  }
  const numbers = floats(noise);
  if (!numbers.every(Number.isFinite)) throw new Error('Cannot start from "noise": not all of it is finite');
  return numbers;
}
