/** Rewards and discounted sums, derived from an episode's success and length when they are needed. */

/** r_t [T]: the bias everywhere, plus the scale at the last step of a success. */
export function rewards(length: number, success: boolean, scale: number, bias: number): Float32Array {
  const out = new Float32Array(length).fill(bias);
  if (success && length > 0) out[length - 1] = scale + bias;
  return out;
}

/**
 * G_t = r_t + γ G_{t+1} [T] with G_T = 0 and r_t = scale · [success at this step] + bias. An episode cut by the step
 * budget counts as worth 0 afterwards; with a negative bias that overstates what its last states were worth.
 *
 * @throws {RangeError} when the length is no positive integer or gamma is outside [0, 1]
 */
export function returnToGo(
  length: number,
  success: boolean,
  gamma: number,
  scale: number,
  bias: number,
): Float32Array {
  if (!Number.isInteger(length) || length < 1) {
    throw new RangeError(`Cannot sum the rewards of ${length} steps: the length must be a positive integer`);
  }
  if (!(gamma >= 0 && gamma <= 1)) {
    throw new RangeError(`Cannot discount by gamma ${gamma}: it must be in [0, 1]`);
  }
  const out = new Float32Array(length);
  let future = 0; // in double precision: errors would add up over 300 steps
  for (let t = length - 1; t >= 0; t--) {
    future = (success && t === length - 1 ? scale : 0) + bias + gamma * future;
    out[t] = future;
  }
  return out;
}
