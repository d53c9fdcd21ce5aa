/**
 * A policy of pi0's shape that needs no checkpoint: chunks of 50 actions from noise [50, 32], by a fixed formula. It tells
 * nothing about robots; it is what experiments with a policy server run on where there is none.
 */
import { floats, isWireArray, wireArray } from "../policies/msgpack_numpy.ts";
import type { Message } from "../policies/openpi.ts";
import type { Place, Served } from "../policies/openpi_server.ts";
import { stream } from "../random.ts";

/** Actions of a chunk, and numbers of a row of noise: pi0's. */
const HORIZON = 50, NOISE = 32;

/** Offsets of joints that noise can reach, radians. */
const REACH = 0.2;

/**
 * A policy for ALOHA (it is sent "state": positions near those of the joints) or LIBERO ("observation/state": motions near
 * zero): action h is its base + 0.2 tanh of row h of the noise.
 */
export const tinyPi0: Served = {
  metadata: { policy: "tiny-pi0", version: 1, noise: [HORIZON, NOISE] },
  infer(observation: Message, { connection, question }: Place): Promise<Message> {
    const joints = observation.state, libero = observation["observation/state"];
    const state = isWireArray(joints) ? joints : libero;
    if (!isWireArray(state)) throw new Error('Cannot act without "state" or "observation/state"');
    const base = isWireArray(joints) ? floats(state) : new Float32Array(7);
    const noise = noiseOf(observation) ??
      stream(0, "tiny-pi0", connection, question).fillNormal(new Float32Array(HORIZON * NOISE));
    const actions = new Float32Array(HORIZON * base.length);
    for (let h = 0; h < HORIZON; h++) {
      for (let a = 0; a < base.length; a++) {
        actions[h * base.length + a] = base[a]! + REACH * Math.tanh(noise[h * NOISE + a]!);
      }
    }
    return Promise.resolve({ actions: wireArray([HORIZON, base.length], actions) });
  },
};

function noiseOf({ noise }: Message): Float32Array | undefined {
  if (noise === undefined) return undefined;
  if (!isWireArray(noise) || noise.shape.slice(-2).join() !== `${HORIZON},${NOISE}`) {
    throw new Error(`Cannot start from this "noise": it must be [${HORIZON}, ${NOISE}]`);
  }
  return floats(noise);
}
