/** The tanh-squashed normal distribution, z = tanh(u) with u ~ N(mean, deviation²): Haarnoja et al. 2018, appendix C. */
import {
  add,
  clipByValue,
  exp,
  mul,
  neg,
  softplus,
  square,
  sub,
  sum,
  tanh,
  type Tensor,
} from "@tensorflow/tfjs-core";

/** Bounds of the deviation, as SERL has them (serl_launcher, networks/actor_critic_nets.py). */
export const DEVIATION = { min: 1e-5, max: 5 } as const;

/**
 * A sample and its log-density: mean, logDeviation and noise ~ N(0, I) [B, A] → z [B, A] in (-1, 1), log p(z) [B].
 *
 * log p(z) = Σ [log N(u) - log(1 - tanh² u)], where log(1 - tanh² u) = 2 (log 2 - u - softplus(-2u)) keeps its digits
 * for large |u|. The deviation is held within `bounds`; outside, it passes no gradient.
 */
export function tanhNormal(
  mean: Tensor,
  logDeviation: Tensor,
  noise: Tensor,
  bounds: { readonly min: number; readonly max: number } = DEVIATION,
): { z: Tensor; logDensity: Tensor } {
  const logSigma = clipByValue(logDeviation, Math.log(bounds.min), Math.log(bounds.max));
  const u = add(mean, mul(exp(logSigma), noise));
  const logNormal = sub(mul(-0.5, square(noise)), add(logSigma, 0.5 * Math.log(2 * Math.PI)));
  const logSlope = mul(2, sub(sub(Math.LN2, u), softplus(mul(-2, u))));
  return { z: tanh(u), logDensity: sum(add(logNormal, neg(logSlope)), -1) };
}
