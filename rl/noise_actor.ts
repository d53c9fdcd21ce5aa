/**
 * The noise actor: w = m tanh(u), u ~ N(μ, σ²)(s), the initial noise that a frozen chunk policy starts from; its
 * temperature; the program that acts. DSRL-SAC and DSRL-NA share it.
 */
import { mul, split, sub, type Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
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

/** What an actor is made of, as a stage is told that opens a stored one. */
export const actorForm = z.strictObject({
  magnitude: z.number().positive().describe("bound m of every number of w"),
  layers: z.int().min(1).describe("hidden layers"),
  width: z.int().min(1).describe("units of a hidden layer"),
  activation: z.enum(["relu", "tanh"]).describe("of the hidden layers"),
  actorLayerNorm: z.boolean().describe("layer normalisation"),
});
/** Parsed form of an actor. */
export type ActorForm = z.output<typeof actorForm>;

/** The form among a method's hyperparameters. */
export function actorFormOf({ magnitude, layers, width, activation, actorLayerNorm }: ActorForm): ActorForm {
  return { magnitude, layers, width, activation, actorLayerNorm };
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
export function initializeActor(
  stream: Stream,
  sizes: Sizes,
  h: ActorForm & { readonly initialTemperature: number },
): Tensors {
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
  const actor = part(
    shapesOf(initializeActor(new Stream([0, 0]), sizes, { ...h, initialTemperature: 1 })),
    "actor",
  );
  return compile(({ state, noise, ...weights }) => ({ w: act(weights, state!, noise!, h).w }), {
    ...actor,
    state: [batch, sizes.state],
    noise: [batch, sizes.noise],
  });
}
