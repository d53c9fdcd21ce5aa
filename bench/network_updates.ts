/** Updates of the larger networks that are timed: each with its state and the batch of one call. */
import { mul, type Scalar, sub, sum } from "@tensorflow/tfjs-core";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { compileUpdate, type Program } from "../engine/program.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { encodePixels, initializePixelEncoder } from "../nn/pixel_encoder.ts";
import { drawTrunk, trunk } from "../nn/resnet.ts";
import { shapesOf } from "../nn/weights.ts";
import * as flow from "../policies/flow.ts";
import { stream } from "../random.ts";

/** A compiled update, a state, the batches of one call, and how many updates that call makes. */
export interface Problem {
  /** Of `compileUpdate`. */
  readonly program: Program;
  /** By name, without "state/". */
  readonly state: Tensors;
  /** By name, without "batch/"; [updates, ...]. */
  readonly batches: Tensors;
  /** Updates of a call. */
  readonly updates: number;
}

/** Pictures of noise with numbers 0 ... 255. */
export function pictures(...shape: number[]): NDArray {
  const x = ndarray(shape), draw = stream(1, "bench");
  for (let i = 0; i < x.data.length; i++) x.data[i] = draw.integer(256);
  return x;
}

/** An SGD step on the sum of what `look` makes of pictures. */
function sgd(
  look: (weights: Weights, pictures: Weights[string]) => Weights[string],
  state: Tensors,
  seen: NDArray,
): Problem {
  const step = (state: Weights, { pictures }: Weights) => {
    const { loss, gradients } = valueAndGradients(
      (w) => ({ loss: sum(look(w, pictures!)) as Scalar }),
      state,
    );
    const next = Object.entries(state).map(([name, p]) =>
      [name, sub(p, mul(1e-9, gradients[name]!))] as const
    );
    return { state: Object.fromEntries(next), metrics: { loss } };
  };
  const program = compileUpdate(step, { state: shapesOf(state), batch: { pictures: seen.shape } });
  return { program, state, batches: { pictures: { ...seen, shape: [1, ...seen.shape] } }, updates: 1 };
}

/** SERL's ResNetV1-10 trunk on 8 pictures of 128 x 128: all gradients and an SGD step. */
export function trunkStep(): Problem {
  return sgd(trunk, drawTrunk(stream(0, "bench")), pictures(8, 128, 128, 3));
}

/** DSRL's small encoder on 256 pictures of 64 x 64: all gradients and an SGD step. */
export function encoderStep(): Problem {
  const sizes = { height: 64, width: 64, channels: 3 };
  const weights = initializePixelEncoder(stream(0, "bench"), "net", sizes);
  return sgd((w, x) => encodePixels(w, "net", x), weights, pictures(256, 64, 64, 3));
}

/** The flow transformer, 256 chunks of 16 actions, 4 blocks of 128 numbers, 4 heads: flow loss, gradients, AdamW. */
export function transformerStep(): Problem {
  const sizes = { features: 20, horizon: 16, action: 7 }, draw = stream(1, "bench");
  const h = flow.hyperparameters.parse({ network: "transformer", layers: 4, width: 128, heads: 4 });
  const shapes = flow.updateShapes(sizes, h);
  const batches = Object.fromEntries(
    Object.entries(shapes.batch).map(([name, shape]) => {
      const x = ndarray([1, ...shape]);
      if (name === "weight") x.data.fill(1);
      else if (name === "time") flow.drawTimes(draw, x.data);
      else draw.fillNormal(x.data);
      return [name, x];
    }),
  );
  const state = flow.initialize(stream(0, "bench"), sizes, h);
  return { program: compileUpdate(flow.update(h), shapes), state, batches, updates: 1 };
}
