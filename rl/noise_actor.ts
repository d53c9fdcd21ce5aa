/**
 * The noise actor: w = m tanh(u), u ~ N(μ, σ²)(s), the initial noise that a frozen chunk policy starts from; its
 * temperature; the program that acts. DSRL-SAC and DSRL-NA share it.
 */
import { mul, split, sub, type Tensor } from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import { scalar, type Tensors } from "../ndarray.ts";
import { initializeMlp, mlps } from "../nn/mlp.ts";
import { initializeAdamW } from "../nn/optimizer.ts";
import { tanhNormal } from "../nn/tanh_normal.ts";
import { part, shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";

/** Bounds of σ: the public code clips log σ to -20 ... 2. */
const SIGMA = { min: Math.exp(-20), max: Math.exp(2) };

/** Widths of what the learner sees and of w. */
export interface Sizes {
  /** Numbers of an observation, S. */
  readonly state: number;
  /** Numbers of w, W: rows times the base's action. */
  readonly noise: number;
}

/** What an actor is made of. */
export interface ActorForm {
  /** Bound m of every number of w. */
  readonly magnitude: number;
  /** Hidden layers. */
  readonly layers: number;
  /** Units of each. */
  readonly width: number;
  /** Activation of each. */
  readonly activation: keyof typeof mlps;
  /** Normalises each hidden layer. */
  readonly actorLayerNorm: boolean;
  /** alpha at the start. */
  readonly initialTemperature: number;
}

/** w = m tanh(u) [B, W] and log π(w | s) = log p(tanh u) - W log m [B], u = μ + σ ε. */
export function act(
  actor: Weights,
  state: Tensor,
  noise: Tensor,
  h: Pick<ActorForm, "magnitude" | "activation">,
) {
  const [mu, logSigma] = split(mlps[h.activation](actor, "actor", state), 2, 1);
  const { z, logDensity } = tanhNormal(mu!, logSigma!, noise, SIGMA);
  const width = noise.shape[1]!;
  return { w: mul(h.magnitude, z), logDensity: sub(logDensity, width * Math.log(h.magnitude)) };
}

/** The actor "actor/…", whose first deterministic w is nearly 0, the temperature, and their moments. */
export function initializeActor(stream: Stream, sizes: Sizes, h: ActorForm): Tensors {
  const hidden = Array<number>(h.layers).fill(h.width);
  const actor = initializeMlp(stream, "actor", { input: sizes.state, hidden, output: 2 * sizes.noise }, {
    layerNorm: h.actorLayerNorm,
    outputScale: 0.01,
  });
  const temperature = { "temperature/log": scalar(Math.log(h.initialTemperature)) };
  return {
    ...actor,
    ...initializeAdamW(actor, "actor"),
    ...temperature,
    ...initializeAdamW(temperature, "temperature"),
  };
}

/** The acting program: the actor's weights by name, "state" [B, S], "noise" [B, W] → "w" [B, W]; zero noise: m tanh μ. */
export function actorProgram(batch: number, sizes: Sizes, h: ActorForm): Program {
  const actor = part(shapesOf(initializeActor(new Stream([0, 0]), sizes, h)), "actor");
  return compile(({ state, noise, ...weights }) => ({ w: act(weights, state!, noise!, h).w }), {
    ...actor,
    state: [batch, sizes.state],
    noise: [batch, sizes.noise],
  });
}
