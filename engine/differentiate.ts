/** Gradients of a loss with respect to named weights. */
import { engine, keep, type Scalar, type Tensor, tensor_util, zerosLike } from "@tensorflow/tfjs-core";
// NOTE: for its effect: it registers the gradients that tfjs-core alone lacks under Deno.
import "./trace.ts";

/** Traced (or eager) tensors by flat name, e.g. "critic/0/kernel". */
export type Weights = Record<string, Tensor>;

/**
 * The loss of `f` and its gradient with respect to each of the named tensors; zeros for those that `f` does not
 * use. Whatever `f` returns as metrics is handed through undifferentiated.
 *
 * @throws {Error} when the loss is not a float32 scalar
 */
export function valueAndGradients<M>(
  f: (weights: Weights) => { loss: Scalar; metrics?: M },
  weights: Weights,
): { loss: Scalar; gradients: Weights; metrics: M } {
  const names = Object.keys(weights);
  if (names.length === 0) {
    throw new Error("Cannot differentiate with respect to no weights: name at least one");
  }
  let metrics: M | undefined;
  const kept: Tensor[] = [];
  const { value, grads } = engine().gradients(
    () => {
      const result = f(weights);
      metrics = result.metrics;
      // The tape's scope disposes all else when it closes.
      for (
        const tensor of tensor_util.getTensorsInContainer(
          metrics as Parameters<typeof tensor_util.getTensorsInContainer>[0],
        )
      ) {
        if (!tensor.kept) kept.push(keep(tensor));
      }
      const { loss } = result;
      if (loss.rank !== 0 || loss.dtype !== "float32") {
        throw new Error(
          `Cannot differentiate a loss of ${loss.dtype} [${loss.shape}]: it must be a float32 scalar`,
        );
      }
      return loss;
    },
    names.map((name) => weights[name]!),
    undefined,
    true,
  );
  for (const tensor of kept) tensor.kept = false;
  const gradients: Weights = {};
  // tfjs-core leaves null where the loss does not depend on a tensor.
  names.forEach((name, i) => gradients[name] = (grads[i] as Tensor | null) ?? zerosLike(weights[name]!));
  return { loss: value as Scalar, gradients, metrics: metrics as M };
}
