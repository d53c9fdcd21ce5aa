/** Test support: the update program of every method, small, with a state and batches to run it on. */
import { concat, matMul, tanh } from "@tensorflow/tfjs-core";
import { compileUpdate, type Program } from "../engine/program.ts";
import type { Weights } from "../engine/differentiate.ts";
import { constant, type Shapes } from "../engine/trace.ts";
import { ndarray, size, type Tensors } from "../ndarray.ts";
import { drawCrops, drawJitters } from "../nn/augmentation.ts";
import * as groups from "../nn/parameter_groups.ts";
import { drawTrunk } from "../nn/resnet.ts";
import * as flow from "../policies/flow.ts";
import * as laplace from "../policies/laplace.ts";
import { stream } from "../random.ts";
import * as awr from "../rl/awr.ts";
import * as calql from "../rl/calql.ts";
import * as cfgFlow from "../rl/cfg_flow.ts";
import * as brief from "../rl/chunk_brief.ts";
import * as dsrl from "../rl/dsrl.ts";
import * as na from "../rl/dsrl_na.ts";
import * as dsrlPixels from "../rl/dsrl_pixels.ts";
import * as iql from "../rl/iql.ts";
import * as pld from "../rl/pld.ts";
import * as pldPixels from "../rl/pld_pixels.ts";
import * as ppo from "../rl/ppo.ts";
import * as qc from "../rl/qc.ts";
import * as qcFql from "../rl/qc_fql.ts";
import * as sac from "../rl/sac.ts";
import { updateShapes as weightedShapes } from "../rl/weighted_flow.ts";

type Update = (state: Weights, batch: Weights) => { state: Weights; metrics: Weights };

/** A method's update as it is before compiling: what it runs, on which shapes, from which state. */
interface Method {
  readonly update: Update;
  readonly shapes: { readonly state: Shapes; readonly batch: Shapes };
  readonly state: Tensors;
}

/** Updates in one call. */
export const UPDATES = 2;

const unit = (width: number) => ({
  kind: "z-score" as const,
  n: 1,
  center: Array<number>(width).fill(0),
  scale: Array<number>(width).fill(1),
  clip: null,
});
const units = { features: unit(4), actions: unit(2) };
const weights = () => stream(1, "weights");
const learner = pld.hyperparameters.parse({ batch: 6, width: 8, nextActions: 2, xiGripper: 1.2 });
const chunks = { features: 3, horizon: 4, action: 2 };
const chunked = { state: 3, features: 4, action: 2 };
const network = { layers: 2, width: 6, flowSteps: 3, gamma: 0.9, horizon: 3, activation: "tanh", batch: 4 };
const small = flow.hyperparameters.parse({ width: 16, batch: 6 });
const flowWeights = () => flow.acting(flow.initialize(weights(), chunks, small));
const vision: pldPixels.Vision = {
  encoder: { encoder: "small", filters: 3, latent: 5 },
  cameras: { height: 24, width: 20, channels: 6 },
  frames: "pictures",
  proprioception: 4,
  action: 2,
};
const resnet = { ...vision, encoder: { encoder: "resnet", embeddings: 2, latent: 5 } } as const;
const seeing = pld.hyperparameters.parse({ batch: 3, width: 8, layers: 1 });
const samples = calql.hyperparameters.parse({ samples: 2, targetSamples: 3 });

function method<H>(
  module: {
    update(h: H): Update;
    updateShapes(sizes: never, h: H): Method["shapes"];
    initialize(stream: ReturnType<typeof weights>, sizes: never, h: H): Tensors;
  },
  sizes: unknown,
  h: H,
): Method {
  return {
    update: module.update(h),
    shapes: module.updateShapes(sizes as never, h),
    state: module.initialize(weights(), sizes as never, h),
  };
}

/** A frozen base for DSRL-NA: its weights are constants of the program. */
function base(features: Parameters<na.Base>[0], w: Parameters<na.Base>[1]) {
  const kernel = stream(2, "base").fillNormal(new Float32Array(9 * 6));
  return tanh(matMul(concat([features, w], 1), constant(ndarray([9, 6], kernel))));
}

/** Every method by name. */
const methods: Readonly<Record<string, () => Method>> = {
  "SAC": () => method(sac, { state: 5, action: 7 }, sac.hyperparameters.parse({ batch: 6, width: 8 })),
  "PLD": () => method(pld, { state: 5, action: 7 }, learner),
  "Cal-QL": () => ({
    update: calql.update(learner, samples),
    shapes: calql.updateShapes({ state: 5, action: 7 }, learner, samples),
    state: pld.initialize(weights(), { state: 5, action: 7 }, learner),
  }),
  "PLD from pictures": () => ({
    update: pldPixels.update(seeing, vision),
    shapes: pldPixels.updateShapes(vision, seeing),
    state: pldPixels.initialize(weights(), vision, seeing),
  }),
  "Cal-QL from pictures, through a frozen ResNet": () => ({
    update: pldPixels.pretrain(seeing, samples, resnet, drawTrunk(stream(5))),
    shapes: pldPixels.pretrainShapes(resnet, seeing, samples),
    state: pldPixels.initialize(weights(), resnet, seeing),
  }),
  "DSRL": () =>
    method(
      dsrl,
      { state: 3, noise: 4 },
      dsrl.hyperparameters.parse({ magnitude: 1.5, critics: 3, layers: 2, width: 7, batch: 5 }),
    ),
  "DSRL-NA": () => {
    const sizes = { state: 3, noise: 4, features: 5, action: 6 };
    const h = na.hyperparameters.parse({ critics: 3, layers: 2, width: 7, batch: 5 });
    return {
      update: na.update(h, base),
      shapes: na.updateShapes(sizes, h),
      state: na.initialize(weights(), sizes, h),
    };
  },
  "DSRL from pictures": () =>
    method(
      dsrlPixels,
      { height: 17, width: 18, channels: 3, state: 8, noise: 7 },
      dsrlPixels.hyperparameters.parse({ batch: 4, critics: 2, layers: 1, width: 8, latent: 6, filters: 3 }),
    ),
  "flow matching": () => method(flow, chunks, small),
  "flow matching by a transformer": () =>
    method(flow, chunks, { ...small, network: "transformer", layers: 2, heads: 2 }),
  "Laplace cloning": () => {
    const h = laplace.hyperparameters.parse({ batch: 6, width: 8, layers: 2 });
    const state = laplace.initialize(weights(), chunks, h);
    return { update: laplace.update(h), shapes: laplace.updateShapes(state, chunks, h), state };
  },
  "AWR": () => {
    const h = awr.hyperparameters.parse({ batch: 6 });
    const state = awr.initialize(flowWeights(), h);
    return { update: awr.update(h), shapes: weightedShapes(state, chunks, h), state };
  },
  "CFG-Flow": () => {
    const h = cfgFlow.hyperparameters.parse({ batch: 6 });
    const state = cfgFlow.initialize(flowWeights(), h);
    return { update: cfgFlow.update(h), shapes: weightedShapes(state, chunks, h), state };
  },
  "RIPT's PPO": () => {
    const h = ppo.hyperparameters.parse({});
    const policy = laplace.hyperparameters.parse({ batch: 6, width: 8, layers: 2 });
    const cloned = groups.acting(laplace.initialize(weights(), chunks, policy));
    const state = groups.initialize(cloned, h.header.weights);
    return { update: ppo.update(h, UPDATES), shapes: ppo.updateShapes(state, chunks, 6), state };
  },
  "IQL on chunks": () =>
    method(
      iql,
      { state: 2, chunk: 4 },
      iql.hyperparameters.parse({ horizon: 2, batch: 8, layers: 1, width: 16 }),
    ),
  "chunk RL of the brief": () =>
    method(brief, { features: 3, chunk: 4 }, brief.hyperparameters.parse({ batch: 5, width: 8, layers: 2 })),
  "QC": () => {
    const h = qc.hyperparameters.parse({ ...network, targetCandidates: 3 });
    return {
      update: qc.update(h, units),
      shapes: qc.updateShapes(chunked, h),
      state: qc.initialize(weights(), chunked, h),
    };
  },
  "QC-FQL": () => {
    const h = qcFql.hyperparameters.parse(network);
    return {
      update: qcFql.update(h, units),
      shapes: qcFql.updateShapes(chunked, h),
      state: qcFql.initialize(weights(), chunked, h),
    };
  },
};

/** Names of all methods. */
export const names: readonly string[] = Object.keys(methods);

/** A method's update, compiled, with what it runs on. */
export function problem(name: string): { program: Program; state: Tensors; batches: Tensors } {
  const { update, shapes, state } = methods[name]!();
  return { program: compileUpdate(update, shapes), state, batches: drawn(shapes.batch) };
}

function drawn(shapes: Shapes): Tensors {
  const random = stream(3, "batches");
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const array = ndarray([UPDATES, ...shape]);
      if (/crops/i.test(name)) drawCrops(random, array.data);
      else if (/jitters/i.test(name)) drawJitters(random, array.data);
      else if (/frames|pixels/i.test(name)) array.data.set(array.data.map(() => random.integer(256)));
      else if (/^(mask|discount|weight)$/.test(name)) array.data.fill(1);
      else if (name === "xi") array.data.fill(0.5);
      else if (name === "time") random.fillUniform(array.data, 0.1, 0.9);
      else if (name !== "terminated") random.fillNormal(array.data);
      if (/action|base|chunk|random/i.test(name)) {
        for (let i = 0; i < size(array.shape); i++) array.data[i] = Math.tanh(array.data[i]!);
      }
      return [name, array];
    }),
  );
}
