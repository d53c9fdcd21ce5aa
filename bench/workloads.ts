/** What `deno task bench` times: updates of methods at their published sizes and of networks, with their peers in Python. */
import { encoderStep, type Problem, transformerStep, trunkStep } from "./network_updates.ts";
import { initialState, randomBatches, shapes as sacShapes, update } from "./sac_update.ts";
import type { Device } from "../engine/providers/devices.ts";
import { compileUpdate } from "../engine/program.ts";
import type { Shapes } from "../engine/trace.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { drawCrops, drawJitters } from "../nn/augmentation.ts";
import { stream } from "../random.ts";
import * as dsrl from "../rl/dsrl.ts";
import * as dsrlPixels from "../rl/dsrl_pixels.ts";
import * as pld from "../rl/pld.ts";

/** The same update in Python. */
export interface PeerScript {
  /** Name in `peers/`, without ".py". */
  readonly script: string;
  /** Arguments after the number of threads. */
  readonly more: (device: Device) => readonly string[];
  /** Where it can run. */
  readonly devices: readonly Device[];
  /** On the CPU it can only take every core: on fewer threads it is no peer. */
  readonly everyCore?: true;
}

/** One thing that is timed. */
export interface Workload {
  /** What one unit is. */
  readonly title: string;
  /** What is run. */
  problem(): Problem;
  /** The same in Python, by the name of what computes it. */
  readonly peers: Readonly<Record<string, PeerScript>>;
}

const CALL = 20;

function drawn(shapes: Shapes, count: number): Tensors {
  const random = stream(1, "bench");
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const array = ndarray([count, ...shape]);
      if (/crops/i.test(name)) drawCrops(random, array.data);
      else if (/jitters/i.test(name)) drawJitters(random, array.data);
      else if (/pixels/i.test(name)) array.data.set(array.data.map(() => random.integer(256)));
      else if (name === "discount") array.data.fill(0.98);
      else if (name === "xi") array.data.fill(0.5);
      else if (name !== "terminated") random.fillNormal(array.data);
      if (/action|base/i.test(name)) array.data.set(array.data.map(Math.tanh));
      return [name, array];
    }),
  );
}

const everywhere: readonly Device[] = ["cpu", "cuda"];

/** The peers of an update of a network, which know it by `name`. */
function networkPeers(name: string): Workload["peers"] {
  const more = (device: Device) => [name, device];
  return {
    PyTorch: { script: "networks_torch", more, devices: everywhere },
    JAX: { script: "networks_jax", more, devices: everywhere },
  };
}

/** Workloads by name. */
export const workloads: Readonly<Record<string, Workload>> = {
  sac: {
    title: "Table 5 SAC update, 20 in a call",
    problem: () => ({
      program: compileUpdate(update, sacShapes),
      state: initialState(),
      batches: randomBatches(CALL),
      updates: CALL,
    }),
    peers: {
      PyTorch: { script: "sac_torch", more: (device) => [device], devices: everywhere },
      JAX: { script: "sac_jax", more: (device) => [device], devices: everywhere, everyCore: true },
    },
  },
  pld: {
    title: "PLD iteration with LIBERO's sizes: its critic updates and one of the actor",
    problem: () => {
      const h = pld.hyperparameters.parse({}), sizes = { state: 265, action: 7 };
      const shapes = pld.updateShapes(sizes, h);
      return {
        program: compileUpdate(pld.update(h), shapes),
        state: pld.initialize(stream(0, "bench"), sizes, h),
        batches: drawn(shapes.batch, CALL),
        updates: CALL,
      };
    },
    peers: {},
  },
  dsrl: {
    title: "DSRL-SAC update with the published settings, from states, 20 in a call",
    problem: () => {
      const h = dsrl.hyperparameters.parse({}), sizes = { state: 58, noise: 32 };
      const shapes = dsrl.updateShapes(sizes, h);
      return {
        program: compileUpdate(dsrl.update(h), shapes),
        state: dsrl.initialize(stream(0, "bench"), sizes, h),
        batches: drawn(shapes.batch, CALL),
        updates: CALL,
      };
    },
    peers: {
      PyTorch: { script: "dsrl_torch", more: () => ["published"], devices: ["cpu"] },
      JAX: { script: "dsrl_jax", more: () => ["published"], devices: ["cpu"], everyCore: true },
    },
  },
  "dsrl-pixels": {
    title: "DSRL-SAC update with the published settings, from 64 x 64 pictures",
    problem: () => {
      const h = dsrlPixels.hyperparameters.parse({ colorJitter: false });
      const sizes = { height: 64, width: 64, channels: 3, state: 8, noise: 32 };
      const shapes = dsrlPixels.updateShapes(sizes, h);
      return {
        program: compileUpdate(dsrlPixels.update(h), shapes),
        state: dsrlPixels.initialize(stream(0, "bench"), sizes, h),
        batches: drawn(shapes.batch, 1),
        updates: 1,
      };
    },
    peers: { PyTorch: { script: "dsrl_pixels_torch", more: () => [], devices: ["cpu"] } },
  },
  "trunk-step": {
    title: "SERL's ResNetV1-10 trunk on 8 pictures of 128 x 128: gradients and an SGD step",
    problem: trunkStep,
    peers: networkPeers("trunk-step"),
  },
  "encoder-step": {
    title: "DSRL's small encoder on 256 pictures of 64 x 64: gradients and an SGD step",
    problem: encoderStep,
    peers: networkPeers("encoder-step"),
  },
  "transformer-step": {
    title: "Flow transformer, 256 chunks of 16 actions, 4 blocks of 128 numbers: flow loss, gradients, AdamW",
    problem: transformerStep,
    peers: networkPeers("transformer-step"),
  },
};
