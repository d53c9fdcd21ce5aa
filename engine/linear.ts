/** Matrix products and gathers, with their gradients. */
import {
  cast as castTensor,
  gather,
  matMul as multiply,
  reshape as reshapeTensor,
  sum,
  type Tensor,
  type Tensor1D,
  transpose as transposeTensor,
  unsortedSegmentSum,
  util,
  zeros,
} from "@tensorflow/tfjs-core";
import type { Gradients, Kernels } from "./kernel.ts";
import { cast, elementwise, matMul, reshape } from "./operators.ts";
import { size } from "../ndarray.ts";

/** How matrix products and gathers are recorded. */
export const kernels: Kernels = {
  BatchMatMul: (graph, { a, b }, { transposeA, transposeB }) =>
    matMul(graph, [a!, b!], { transA: transposeA === true, transB: transposeB === true }),
  GatherV2: (graph, { x, indices }, { axis, batchDims }) => {
    if (batchDims) {
      throw new Error(`Cannot trace a gather with ${batchDims} batch dimensions: it must have 0`);
    }
    const at = util.parseAxisParam((axis ?? 0) as number, [...x!.shape])[0]!;
    return graph.add({
      op: "Gather",
      inputs: [x!, cast(graph, indices!, "int32")],
      attributes: { axis: at },
      shape: [...x!.shape.slice(0, at), ...indices!.shape, ...x!.shape.slice(at + 1)],
      dtype: x!.dtype,
    });
  },
  // As a product with the one-hot matrix: ONNX's scatters do not say in which order they add, a product does.
  UnsortedSegmentSum: (graph, { x, segmentIds }, { numSegments }) => {
    const segments = numSegments as number;
    const rows = size(segmentIds!.shape);
    const rest = x!.shape.slice(segmentIds!.shape.length);
    const ids = reshape(graph, cast(graph, segmentIds!, "int32"), [rows, 1]);
    const all = graph.constant(Int32Array.from({ length: segments }, (_, i) => i), [segments], "int32");
    const hot = cast(graph, elementwise(graph, "Equal", [ids, all]), "float32"); // [rows, segments]
    const sums = matMul(graph, [hot, reshape(graph, x!, [rows, size(rest)])], { transA: true });
    return reshape(graph, sums, [segments, ...rest]);
  },
};

// Sums over the batch axes along which an operand of `shape` was broadcast.
function sumBatch(dx: Tensor, shape: number[]): Tensor {
  const lead = dx.shape.length - shape.length;
  const axes = dx.shape.flatMap((extent, i) => i < lead || shape[i - lead] !== extent ? [i] : []);
  return axes.length > 0 ? reshapeTensor(sum(dx, axes), shape) : dx;
}

/** The gradients of matrix products and gathers. */
export const gradients: Gradients = {
  BatchMatMul: {
    inputs: ["a", "b"],
    gradient: ([dy], [a, b], _outputs, { transposeA, transposeB }) => {
      const [ta, tb] = [transposeA === true, transposeB === true];
      return [
        () => sumBatch(ta ? multiply(b!, dy!, tb, true) : multiply(dy!, b!, false, !tb), a!.shape),
        () => sumBatch(tb ? multiply(dy!, a!, true, ta) : multiply(a!, dy!, !ta, false), b!.shape),
      ];
    },
  },
  GatherV2: {
    inputs: ["x", "indices"],
    gradient: ([dy], [x, indices], _outputs, { axis }) => {
      const at = util.parseAxisParam((axis ?? 0) as number, x!.shape)[0]!;
      const count = indices!.shape.length;
      return [() => {
        // The gathered axes in front, summed by index, and the axis put back.
        const order = dy!.shape.map((_, i) => i);
        const front = [...order.slice(at, at + count), ...order.slice(0, at), ...order.slice(at + count)];
        const rows = reshapeTensor(transposeTensor(dy!, front), [
          indices!.size,
          ...x!.shape.filter((_, i) => i !== at),
        ]);
        const ids = castTensor(reshapeTensor(indices!, [indices!.size]), "int32");
        const sums = unsortedSegmentSum(rows, ids as Tensor1D, x!.shape[at]!);
        const axes = x!.shape.map((_, i) => i);
        return transposeTensor(sums, axes.map((i) => i === at ? 0 : i < at ? i + 1 : i));
      }, () => zeros(indices!.shape)];
    },
  },
  UnsortedSegmentSum: {
    inputs: ["x", "segmentIds"],
    gradient: ([dy], [, ids]) => [() => gather(dy!, ids as Tensor1D), () => zeros(ids!.shape)],
  },
};
