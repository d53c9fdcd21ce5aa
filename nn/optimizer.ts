/**
 * Optimisers as functions of state: what goes in and comes out is a flat record. The moments of parameters "critic/…"
 * live beside them as "adamw/critic/first/…" and "adamw/critic/second/…".
 */
import {
  add,
  div,
  minimum,
  mul,
  type Scalar,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { scalar, type Tensors } from "../ndarray.ts";
import { entry, moved, part, zerosLike } from "./weights.ts";

/** Settings of `adamW`; betas and epsilon default to PyTorch's. */
export interface AdamW {
  /** Step size, a number or a traced scalar (a schedule). */
  readonly learningRate: number | Scalar;
  /** Decoupled decay: each step multiplies a parameter by 1 - learningRate x weightDecay. */
  readonly weightDecay: number;
  /** Decay of the first moment, default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment, default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the second moment, default 1e-8. */
  readonly epsilon?: number;
}

/** Zero moments for the parameters of `group` ("group/…" in `parameters`), for a first call of `adamW`. */
export function initializeAdamW(parameters: Tensors, group: string): Tensors {
  const zeros = zerosLike(part(parameters, group));
  return {
    ...moved(zeros, group, `adamw/${group}/first`),
    ...moved(zerosLike(zeros), group, `adamw/${group}/second`),
    [`adamw/${group}/unit/first`]: scalar(0),
    [`adamw/${group}/unit/second`]: scalar(0),
  };
}

/**
 * One AdamW step (Loshchilov & Hutter 2019, the algebra of torch.optim.AdamW) on the parameters of `group`:
 *
 *   m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,
 *   p ← (1 - η λ) p - η (m / c₁) / (√(v / c₂) + ε),  c = 1 - βᵗ.
 *
 * The corrections c are kept as the moments of a constant 1 ("…/unit/…"): c ← β c + (1 - β). In float32 1 - βᵗ by a
 * power would lose four digits in the first steps. Both enter as scalars: √c₂ η / c₁ and ε √c₂.
 *
 * @returns the entries of `state` that change: parameters, moments, units
 */
export function adamW(state: Weights, group: string, gradients: Weights, settings: AdamW): Weights {
  const { learningRate, weightDecay, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = settings;
  const average = (beta: number, old: Tensor, value: Tensor | number) =>
    add(mul(beta, old), mul(1 - beta, value));
  const unit = {
    first: average(beta1, entry(state, `adamw/${group}/unit/first`), 1),
    second: average(beta2, entry(state, `adamw/${group}/unit/second`), 1),
  };
  const root = sqrt(unit.second);
  const rate = div(mul(learningRate, root), unit.first);
  const kept = sub(1, mul(learningRate, weightDecay));
  const next: Weights = {
    [`adamw/${group}/unit/first`]: unit.first,
    [`adamw/${group}/unit/second`]: unit.second,
  };
  for (const [name, parameter] of Object.entries(part(state, group))) {
    const path = name.slice(group.length);
    const gradient = entry(gradients, name);
    const first = average(beta1, entry(state, `adamw/${group}/first${path}`), gradient);
    const second = average(beta2, entry(state, `adamw/${group}/second${path}`), square(gradient));
    next[`adamw/${group}/first${path}`] = first;
    next[`adamw/${group}/second${path}`] = second;
    const step = mul(rate, div(first, add(sqrt(second), mul(epsilon, root))));
    next[name] = sub(mul(kept, parameter), step);
  }
  return next;
}

/**
 * Scales all gradients by min(1, maxNorm / (norm + 1e-6)), norm over all of them together, as
 * torch.nn.utils.clip_grad_norm_ does.
 */
export function clipByGlobalNorm(gradients: Weights, maxNorm: number): { gradients: Weights; norm: Tensor } {
  const norm = sqrt(
    Object.values(gradients).map((g) => sum(square(g)) as Tensor).reduce((a, b) => add(a, b)),
  );
  const scale = minimum(1, div(maxNorm, add(norm, 1e-6)));
  const clipped = Object.fromEntries(Object.entries(gradients).map(([name, g]) => [name, mul(scale, g)]));
  return { gradients: clipped, norm };
}

/** Polyak averaging: target ← (1 - tau) target + tau online. Returns the new entries of `target`. */
export function polyak(state: Weights, online: string, target: string, tau: number): Weights {
  const source = moved(state, online, target);
  return Object.fromEntries(
    Object.entries(source).map(([name, p]) => [name, add(mul(1 - tau, entry(state, name)), mul(tau, p))]),
  );
}
