/**
 * The update that is timed: residual SAC with the shapes of PLD's Table 5 (arXiv:2511.00091), one step each of critics,
 * actor and temperature, then Polyak averaging. `peers/` holds the same equations in PyTorch and JAX.
 */
import {
  add,
  clipByValue,
  concat,
  exp,
  mean,
  min,
  mul,
  type Scalar,
  split,
  square,
  squeeze,
  sub,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { stopGradient } from "../engine/trace.ts";
import { initializeMlp, tanhMlp } from "../nn/mlp.ts";
import { adamW, clipByGlobalNorm, initializeAdamW, polyak } from "../nn/optimizer.ts";
import { tanhNormal } from "../nn/tanh_normal.ts";
import { copied, entry, moved, part, shapesOf } from "../nn/weights.ts";
import { ndarray, scalar, type Tensors } from "../ndarray.ts";
import { stream } from "../random.ts";

/** Sizes of Table 5: 3 x 256 LayerNorm-tanh networks, two critics, batch 256; LIBERO's observation and action. */
export const TABLE_5 = { state: 265, action: 7, width: 256, layers: 3, batch: 256, critics: 2 } as const;
const XI = 0.5;
const OPTIMIZER = { learningRate: 3e-4, weightDecay: 1e-2 };

/** The learner's state at its start. */
export function initialState(): Tensors {
  const random = stream(0, "bench");
  const { state, action, width, layers, critics } = TABLE_5;
  const hidden = Array<number>(layers).fill(width);
  const sizes = { input: state + action, hidden };
  const critic = initializeMlp(random, "critic", { ...sizes, output: 1 }, {
    layerNorm: true,
    ensemble: critics,
  });
  const actor = initializeMlp(random, "actor", { ...sizes, output: 2 * action }, { layerNorm: true });
  return {
    ...critic,
    ...actor,
    ...moved(copied(critic), "critic", "target"),
    ...initializeAdamW(critic, "critic"),
    ...initializeAdamW(actor, "actor"),
    log_alpha: scalar(0),
  };
}

const { batch: B, state: S, action: A } = TABLE_5;
/** Shapes of the state and of one batch, for `compileUpdate`. */
export const shapes = {
  state: shapesOf(initialState()),
  batch: {
    state: [B, S],
    base: [B, A],
    action: [B, A],
    reward: [B],
    terminated: [B],
    nextState: [B, S],
    nextBase: [B, A],
    noise: [B, A],
    nextNoise: [B, A],
  },
};

/** `count` random batches; no transition terminates. */
export function randomBatches(count: number): Tensors {
  const random = stream(1, "bench");
  const batches: Tensors = {};
  for (const [name, shape] of Object.entries(shapes.batch)) {
    const array = ndarray([count, ...shape]);
    if (name !== "terminated") random.fillNormal(array.data);
    if (name.toLowerCase().endsWith("base") || name === "action") {
      array.data.forEach((x, i) => array.data[i] = Math.tanh(x));
    }
    batches[name] = array;
  }
  return batches;
}

function act(weights: Weights, state: Tensor, base: Tensor, noise: Tensor) {
  const [mu, logSigma] = split(tanhMlp(weights, "actor", concat([state, base], 1)), 2, 1);
  const { z, logDensity } = tanhNormal(mu!, logSigma!, noise);
  return { action: clipByValue(add(base, mul(XI, z)), -1, 1), logDensity };
}

function q(weights: Weights, name: "critic" | "target", state: Tensor, action: Tensor): Tensor {
  return squeeze(tanhMlp(weights, name, concat([state, action], 1)), [2]); // [2, B]
}

/** One update. */
export function update(state: Weights, batch: Weights): { state: Weights; metrics: Weights } {
  const b = (name: keyof typeof shapes.batch) => entry(batch, name);
  const logAlpha = entry(state, "log_alpha");
  const alpha = exp(logAlpha);
  const next = act(state, b("nextState"), b("nextBase"), b("nextNoise"));
  const value = sub(min(q(state, "target", b("nextState"), next.action), 0), mul(alpha, next.logDensity));
  const y = stopGradient(add(b("reward"), mul(mul(0.99, sub(1, b("terminated"))), value)));

  const critic = valueAndGradients((w) => ({
    loss: sum(mean(square(sub(q(w, "critic", b("state"), b("action")), y)), 1)) as Scalar,
  }), part(state, "critic"));
  const criticGradients = clipByGlobalNorm(critic.gradients, 1).gradients;
  state = { ...state, ...adamW(state, "critic", criticGradients, OPTIMIZER) };

  const actor = valueAndGradients((w) => {
    const { action, logDensity } = act(w, b("state"), b("base"), b("noise"));
    const least = min(q(state, "critic", b("state"), action), 0);
    return {
      loss: mean(sub(mul(alpha, logDensity), least)) as Scalar,
      metrics: { logDensity: mean(logDensity) },
    };
  }, part(state, "actor"));
  const actorGradients = clipByGlobalNorm(actor.gradients, 1).gradients;
  state = { ...state, ...adamW(state, "actor", actorGradients, OPTIMIZER) };

  // d/d(log alpha) of alpha (H - target entropy), the target being minus the action's size.
  const slope = mul(alpha, sub(TABLE_5.action, actor.metrics.logDensity));
  return {
    state: {
      ...state,
      ...polyak(state, "critic", "target", 0.005),
      log_alpha: sub(logAlpha, mul(OPTIMIZER.learningRate, slope)),
    },
    metrics: { "critic/loss": critic.loss, "actor/loss": actor.loss, "temperature/alpha": alpha },
  };
}
