/**
 * DSRL-SAC from pictures: `dsrl.ts` where actor and critics see what an encoder of their own makes of the cameras, with
 * numbers of the robot beside it, [encoder(o), s] for s.
 *
 * As in the public code (github.com/nakamotoo/dsrl_pi0, jaxrl2/agents/pixel_sac): the critics share one encoder, which
 * learns from L_Q; the actor's learns from L_π; the target critics have a target encoder. o and o′ are cropped at random
 * and jittered in color before anything sees them.
 *
 * Departures: those of `dsrl.ts`. Encoders are drawn as the code draws them.
 */
import { add, concat, mean, mul, neg, type Scalar, sub, type Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import { constant, type Shapes, stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { colorJitter, cropNumbers, jitterNumbers, randomCrop } from "../nn/augmentation.ts";
import { initializeAdamW } from "../nn/optimizer.ts";
import { encodedWidth, encodeFrames, type Encoder, initializeEncoder } from "../nn/vision.ts";
import { copied, moved, part, shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";
import * as dsrl from "./dsrl.ts";
import {
  act,
  actorForm as stateActorForm,
  actorFormOf as stateActorFormOf,
  initializeActor,
} from "./noise_actor.ts";

/** What pictures add to the hyperparameters. */
export const pixelSettings = {
  encoder: z.enum(["small", "resnet"]).default("small")
    .describe("small: the public learner's convolutions; resnet: heads on SERL's frozen trunk"),
  embeddings: z.int().min(1).default(8).describe("Sums that a ResNet's head keeps of each channel; SERL"),
  filters: z.int().min(1).default(32).describe("Filters of each convolution of an encoder"),
  latent: z.int().min(1).default(50).describe(
    "Numbers that an encoder makes of the pictures; a ResNet's, of each",
  ),
  colorJitter: z.boolean().default(true).describe(
    "Jitters colors in training; true, as the public learner, whose launch script does not say otherwise",
  ),
} as const;

/** Those of DSRL-SAC, and the pictures'. */
export const hyperparameters = dsrl.hyperparameters.extend(pixelSettings);
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** What an actor is made of, as a stage is told that opens a stored one. */
export const actorForm = stateActorForm.extend({
  encoder: pixelSettings.encoder,
  embeddings: pixelSettings.embeddings,
  filters: pixelSettings.filters.removeDefault(),
  latent: pixelSettings.latent.removeDefault(),
});
/** Parsed form of an actor. */
export type PixelActorForm = z.output<typeof actorForm>;

/** The form among the hyperparameters. */
export function actorFormOf(h: PixelActorForm): PixelActorForm {
  const { encoder, embeddings, filters, latent } = h;
  return { ...stateActorFormOf(h), encoder, embeddings, filters, latent };
}

/** Extents of what the learner sees, and the width of w. */
export interface Sizes {
  /** Rows of a picture. */
  readonly height: number;
  /** Pixels in a row. */
  readonly width: number;
  /** Numbers of a pixel, three for each camera. */
  readonly channels: number;
  /** Numbers beside the pictures, S. */
  readonly state: number;
  /** Numbers of w, W. */
  readonly noise: number;
}

/** One minibatch of queries; colors are 0 ... 255. */
export interface Minibatch extends dsrl.Minibatch {
  /** o at the query, [B, height, width, channels]. */
  pixels: Tensor;
  /** o′ at the next query. */
  nextPixels: Tensor;
}

/** How pictures are encoded. */
type Looking = Pick<PixelActorForm, "encoder" | "embeddings" | "filters" | "latent">;

const encoderOf = ({ encoder, embeddings, filters, latent }: Looking): Encoder =>
  encoder === "small" ? { encoder, filters, latent } : { encoder, embeddings, latent };

/** What network `name` sees: [encoder(o), s]; a ResNet looks through `trunk`. */
export function view(
  weights: Weights,
  name: string,
  pixels: Tensor,
  state: Tensor,
  form: Looking,
  trunk?: Weights,
): Tensor {
  return concat([encodeFrames(weights, `${name}/encoder`, pixels, encoderOf(form), trunk), state], 1);
}

/** Pictures as they are learned from: cropped, and jittered where there are `jitters`. */
export function augment(pixels: Tensor, crops: Tensor, jitters?: Tensor): Tensor {
  const cropped = randomCrop(pixels, crops);
  return stopGradient(jitters ? colorJitter(cropped, jitters) : cropped);
}

/** y = r + γ^k (1 - d) mean_i Q̄_i(o′, s′, w′), w′ ~ π(· | o′, s′): [B]. */
export function target(
  weights: Weights,
  b: Omit<Minibatch, "pixels" | "state" | "w">,
  h: Hyperparameters,
  trunk?: Weights,
): Tensor {
  const { w } = act(weights, view(weights, "actor", b.nextPixels, b.nextState, h, trunk), b.nextNoise, h);
  const seen = view(weights, "target", b.nextPixels, b.nextState, h, trunk);
  const value = dsrl.reduce(dsrl.q(weights, "target", seen, w, h), h.reduction);
  return stopGradient(add(b.reward, mul(mul(b.discount, sub(1, b.terminated)), value)));
}

/** L_Q = mean_i E (Q_i(o, s, w) - y)²: of the critics and their encoder. */
export function criticLoss(
  critic: Weights,
  b: Pick<Minibatch, "pixels" | "state" | "w">,
  y: Tensor,
  h: Hyperparameters,
  trunk?: Weights,
) {
  return dsrl.criticLoss(
    critic,
    { state: view(critic, "critic", b.pixels, b.state, h, trunk), w: b.w },
    y,
    h,
  );
}

/** L_π = E[α log π(w | o, s) - mean_i Q_i(o, s, w)] of the actor and its encoder, and H = -E log π. */
export function actorLoss(
  actor: Weights,
  critic: Weights,
  alpha: Tensor,
  b: { pixels: Tensor; state: Tensor; noise: Tensor },
  h: Hyperparameters,
  trunk?: Weights,
) {
  const { w, logDensity } = act(actor, view(actor, "actor", b.pixels, b.state, h, trunk), b.noise, h);
  const seen = view(critic, "critic", b.pixels, b.state, h, trunk);
  const value = dsrl.reduce(dsrl.q(critic, "critic", seen, w, h), h.reduction);
  const loss: Scalar = mean(sub(mul(alpha, logDensity), value));
  return { loss, metrics: { "actor/loss": loss, "actor/entropy": neg(mean(logDensity)) } };
}

function baked(trunk: Tensors): Weights {
  return Object.fromEntries(Object.entries(trunk).map(([name, x]) => [name, constant(x)]));
}

/**
 * One update in the public code's order: critic, targets, actor, temperature. For `compileUpdate`; the trunk of a ResNet
 * is baked into the program.
 */
export function update(h: Hyperparameters, trunk: Tensors = {}) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<dsrl.Metric, Tensor> } => {
    const { noise, crops, nextCrops, jitters, nextJitters, ...rows } = batch;
    const stored = rows as unknown as Minibatch, frozen = baked(trunk);
    const b = {
      ...stored,
      pixels: augment(stored.pixels, crops!, jitters),
      nextPixels: augment(stored.nextPixels, nextCrops!, nextJitters),
    };
    const y = target(state, b, h, frozen);
    const critic = dsrl.criticStep(state, (weights) => criticLoss(weights, b, y, h, frozen), h);
    const actor = dsrl.actorStep(
      critic.state,
      (weights, alpha) => actorLoss(weights, critic.state, alpha, { ...b, noise: noise! }, h, frozen),
      h,
      noise!.shape[1]!,
    );
    const metrics = { ...critic.metrics, ...actor.metrics } as Record<dsrl.Metric, Tensor>;
    return { state: actor.state, metrics };
  };
}

/** Shapes of one iteration of `update`. */
export function updateShapes(sizes: Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const pixels = [h.batch, sizes.height, sizes.width, sizes.channels];
  const crops = [h.batch, cropNumbers], jitters = [h.batch, jitterNumbers];
  const batch = {
    ...dsrl.updateShapes(sizes, h).batch,
    pixels,
    nextPixels: pixels,
    crops,
    nextCrops: crops,
    ...(h.colorJitter ? { jitters, nextJitters: jitters } : {}),
  };
  return { state: shapesOf(initialize(new Stream([0, 0]), sizes, h)), batch };
}

/** A complete learner state: that of `dsrl.initialize`, with encoders of actor, critics and targets. */
export function initialize(stream: Stream, sizes: Sizes, h: Hyperparameters): Tensors {
  const form = encoderOf(h), state = encodedWidth(sizes, form) + sizes.state;
  const critic = initializeEncoder(stream, "critic/encoder", sizes, form);
  const actor = initializeEncoder(stream, "actor/encoder", sizes, form);
  return {
    ...dsrl.initialize(stream, { state, noise: sizes.noise }, h),
    ...critic,
    ...moved(copied(critic), "critic", "target"),
    ...initializeAdamW(critic, "critic"),
    ...actor,
    ...initializeAdamW(actor, "actor"),
  };
}

/**
 * The acting program: the actor's weights by name, "pixels" [B, height, width, channels], "state" [B, S] and "noise"
 * [B, W] → "w" [B, W]; zero noise: m tanh μ. Pictures are neither cropped nor jittered.
 */
export function actorProgram(
  batch: number,
  sizes: Sizes,
  h: PixelActorForm,
  trunk: Tensors = {},
): Program {
  const none = new Stream([0, 0]), form = encoderOf(h), seen = encodedWidth(sizes, form) + sizes.state;
  const head = initializeActor(none, { state: seen, noise: sizes.noise }, {
    ...h,
    initialTemperature: 1,
  });
  const pictures = initializeEncoder(none, "actor/encoder", sizes, form);
  return compile(
    ({ pixels, state, noise, ...weights }) => ({
      w: act(weights, view(weights, "actor", pixels!, state!, h, baked(trunk)), noise!, h).w,
    }),
    {
      ...part(shapesOf({ ...head, ...pictures }), "actor"),
      pixels: [batch, sizes.height, sizes.width, sizes.channels],
      state: [batch, sizes.state],
      noise: [batch, sizes.noise],
    },
  );
}
