/**
 * PLD from pictures: `pld.ts` and `calql.ts` where actor and critics see cameras and proprioception, through one encoder.
 *
 * As in SERL, the stated lineage of PLD (github.com/rail-berkeley/serl, common/encoding.py and agents/continuous/sac.py):
 * s = [encoder(o), tanh(LN(dense(p)))] with proprioception p; actor and critics share the encoder, which learns from L_Q
 * alone; the target critics have a target encoder. The base policy sees what it was trained on.
 *
 * Departures: those of `pld.ts`; no dropout behind the spatial embeddings (SERL: 0.1); proprioception is normalised, and
 * velocity, commanded gripper and the place in the base's chunk stand beside it.
 */
import { add, concat, max, min, mul, reshape, sub, type Tensor, tile, unstack } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import { constant, type Shapes, stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { cropNumbers, randomCrop } from "../nn/augmentation.ts";
import { initializeAdamW } from "../nn/optimizer.ts";
import {
  type Cameras,
  encodedWidth,
  encodeFrames,
  type FrameKind,
  frameShape,
  initializeEncoder,
  initializeNormalizedDense,
  normalizedDense,
} from "../nn/vision.ts";
import { copied, entry, moved, shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";
import * as calql from "./calql.ts";
import * as pld from "./pld.ts";
import { act } from "./residual.ts";

/** Numbers that a dense layer makes of proprioception. */
const PROPRIOCEPTION_LATENT = 64;
const ENCODER = "critic/encoder", OWN = "proprioception";

/** What looks at the cameras. */
export const encoders = z.discriminatedUnion("encoder", [
  z.strictObject({
    encoder: z.literal("resnet"),
    embeddings: z.int().min(1).default(8).describe("Sums kept of each of the trunk's channels; SERL"),
    latent: z.int().min(1).default(256).describe("Numbers that come out for each camera; Table 5"),
  }),
  z.strictObject({
    encoder: z.literal("small"),
    filters: z.int().min(1).default(32).describe("Filters of each convolution, as DSRL's"),
    latent: z.int().min(1).default(50).describe("Numbers that come out for all cameras, as DSRL's"),
  }),
]);

/** How frames are kept, and what looks at them. */
export interface Vision {
  /** What looks at them. */
  readonly encoder: z.output<typeof encoders>;
  /** Extents of the pictures. */
  readonly cameras: Cameras;
  /** Whether the learner is fed pictures, which are cropped at random, or what the trunk made of them, which are not. */
  readonly frames: FrameKind;
  /** Numbers p beside the frames, P. */
  readonly proprioception: number;
  /** Numbers of an action, A. */
  readonly action: number;
}

/** Widths of s and of the action. */
export function sizesOf({ cameras, encoder, action }: Vision): { state: number; action: number } {
  return { state: encodedWidth(cameras, encoder) + PROPRIOCEPTION_LATENT, action };
}

/** s = [encoder(o), dense(p)] with the encoder below `name`: frames as `v` says, p [B, P] → [B, S]. */
export function view(
  weights: Weights,
  name: string,
  frames: Tensor,
  proprioception: Tensor,
  v: Vision,
  trunk?: Weights,
): Tensor {
  const own = normalizedDense(weights, `${name}/${OWN}`, proprioception);
  return concat([encodeFrames(weights, name, frames, v.encoder, trunk), own], 1);
}

/** One minibatch: PLD's, where "state" is p, with frames o and o′ as they are learned from. */
export interface Minibatch extends pld.Minibatch {
  /** o. */
  frames: Tensor;
  /** o′. */
  nextFrames: Tensor;
}

/** Eq. 2 seen through encoders: y = r + γ (1 - d) max_k min_i Q̄_i(s̄′, ā′_k), ā′ ~ π(s′); s̄′ is the target encoder's. */
export function target(
  weights: Weights,
  b: Omit<Minibatch, "frames" | "state" | "action" | "base">,
  xi: Tensor,
  gamma: number,
  v: Vision,
  trunk?: Weights,
): Tensor {
  const [samples, rows, width] = b.nextNoise.shape as [number, number, number];
  const seen = view(weights, ENCODER, b.nextFrames, b.nextState, v, trunk);
  const valued = view(weights, "target/encoder", b.nextFrames, b.nextState, v, trunk);
  const noise = reshape(b.nextNoise, [samples * rows, width]);
  const { action } = act(weights, tile(seen, [samples, 1]), tile(b.nextBase, [samples, 1]), noise, xi);
  const least = min(pld.q(weights, "target", tile(valued, [samples, 1]), action), 0);
  const best = max(reshape(least, [samples, rows]), 0);
  return stopGradient(add(b.reward, mul(mul(gamma, sub(1, b.terminated)), best)));
}

// Frames as they are learned from. Features come from the frozen trunk and stay as they are.
function cropped(batch: Weights): Weights {
  const { crops, nextCrops, ...rest } = batch;
  if (!crops) return rest;
  return {
    ...rest,
    frames: stopGradient(randomCrop(entry(rest, "frames"), crops)),
    nextFrames: stopGradient(randomCrop(entry(rest, "nextFrames"), nextCrops!)),
  };
}

/** `pld.update` from pictures, for `compileUpdate` with `updateShapes`. `trunk` is baked into the program. */
export function update(h: pld.Hyperparameters, v: Vision, trunk: Tensors = {}) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<pld.Metric, Tensor> } => {
    const frozen = baked(trunk), { xi, noise, ...rows } = batch;
    let metrics: Weights = {}, last: Minibatch | undefined;
    for (let i = 0; i < h.criticUpdates; i++) {
      const own = Object.entries(rows).map(([name, x]) => [name, unstack(x)[i]!]);
      const b = last = cropped(Object.fromEntries(own)) as unknown as Minibatch;
      const y = target(state, b, xi!, h.gamma, v, frozen);
      ({ state, metrics } = pld.criticStep(state, (critic) => {
        const seen = view(critic, ENCODER, b.frames, b.state, v, frozen);
        return pld.criticLoss(critic, { state: seen, action: b.action }, y);
      }, h));
    }
    const { frames, state: p, base } = last!;
    const seen = stopGradient(view(state, ENCODER, frames, p, v, frozen));
    const actor = pld.actorStep(state, { state: seen, base, noise: noise!, xi: xi! }, h);
    return { state: actor.state, metrics: { ...metrics, ...actor.metrics } as Record<pld.Metric, Tensor> };
  };
}

/** `calql.update` from pictures. */
export function pretrain(h: pld.Hyperparameters, c: calql.Hyperparameters, v: Vision, trunk: Tensors = {}) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<calql.Metric, Tensor> } => {
    const frozen = baked(trunk);
    const b = cropped(batch) as unknown as Minibatch & calql.Minibatch;
    const y = target(state, b, b.xi, h.gamma, v, frozen);
    // Samples of the policy are drawn with what the encoder was before this step; they are not descended.
    const nextState = stopGradient(view(state, ENCODER, b.nextFrames, b.nextState, v, frozen));
    const critic = pld.criticStep(state, (weights) => {
      const seen = view(weights, ENCODER, b.frames, b.state, v, frozen);
      return calql.criticLoss(weights, state, { ...b, state: seen, nextState }, y, c);
    }, h);
    const seen = stopGradient(view(critic.state, ENCODER, b.frames, b.state, v, frozen));
    const noise = entry(batch, "noise");
    const actor = pld.actorStep(critic.state, { state: seen, base: b.base, noise, xi: b.xi }, h);
    return {
      state: actor.state,
      metrics: { ...critic.metrics, ...actor.metrics } as Record<calql.Metric, Tensor>,
    };
  };
}

function baked(trunk: Tensors): Weights {
  return Object.fromEntries(Object.entries(trunk).map(([name, x]) => [name, constant(x)]));
}

type Form = { readonly state: Shapes; readonly batch: Shapes };

// The shapes of a state-based update with frames, crops and p in place of s; `lead` are the axes before a row's.
function seen(plain: Form, lead: readonly number[], h: pld.Hyperparameters, v: Vision): Form {
  const frames = [...lead, ...frameShape(v.cameras, v.frames)], own = [...lead, v.proprioception];
  const crops = [...lead, cropNumbers];
  return {
    state: shapesOf(initialize(new Stream([0, 0]), v, h)),
    batch: {
      ...plain.batch,
      state: own,
      nextState: own,
      frames,
      nextFrames: frames,
      ...(v.frames === "pictures" ? { crops, nextCrops: crops } : {}),
    },
  };
}

/** Shapes of one iteration of `update`. */
export function updateShapes(v: Vision, h: pld.Hyperparameters): Form {
  return seen(pld.updateShapes(sizesOf(v), h), [h.criticUpdates, h.batch], h, v);
}

/** Shapes of one step of `pretrain`. */
export function pretrainShapes(v: Vision, h: pld.Hyperparameters, c: calql.Hyperparameters): Form {
  return seen(calql.updateShapes(sizesOf(v), h, c), [h.batch], h, v);
}

/** A complete learner state: that of `pld.initialize`, with the critics' encoder and its target. */
export function initialize(stream: Stream, v: Vision, h: pld.Hyperparameters): Tensors {
  const encoder = {
    ...initializeEncoder(stream, ENCODER, v.cameras, v.encoder),
    ...initializeNormalizedDense(stream, `${ENCODER}/${OWN}`, v.proprioception, PROPRIOCEPTION_LATENT),
  };
  return {
    ...pld.initialize(stream, sizesOf(v), h),
    ...encoder,
    ...moved(copied(encoder), "critic", "target"),
    ...initializeAdamW(encoder, "critic"),
  };
}

/** `state` with a fresh actor, as `pld.resetActor`; the encoder, which is the critics', stays. */
export function resetActor(stream: Stream, state: Tensors, v: Vision, h: pld.Hyperparameters): Tensors {
  return pld.resetActor(stream, state, sizesOf(v), h);
}

/** The weights that act: the actor's, and the encoder it sees through. */
export function acting(state: Tensors): Tensors {
  const names = Object.keys(state).filter((name) => /^actor\/|^critic\/encoder\//.test(name));
  return Object.fromEntries(names.map((name) => [name, state[name]!]));
}

/**
 * The acting program for `batch` rows: weights of `acting` by name, "frames" as `v` says, "state" [B, P], "base" [B, A],
 * "noise" [B, A] and "xi" [A] → "action" [B, A]. Pictures are not cropped.
 *
 * @param weights those of `acting`, for their shapes
 */
export function actorProgram(batch: number, v: Vision, weights: Tensors, trunk: Tensors = {}): Program {
  const rows = [batch, v.action];
  return compile(({ frames, state, base, noise, xi, ...w }) => {
    const s = view(w, ENCODER, frames!, state!, v, baked(trunk));
    return { action: act(w, s, base!, noise!, xi!).action };
  }, {
    ...shapesOf(weights),
    frames: [batch, ...frameShape(v.cameras, v.frames)],
    state: [batch, v.proprioception],
    base: rows,
    noise: rows,
    xi: [v.action],
  });
}
