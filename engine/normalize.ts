/** Layer normalisation as one kernel with its own gradient: ONNX's operator where a program is traced. */
import {
  add,
  customGrad,
  div,
  engine,
  getBackend,
  getKernel,
  matMul,
  mean,
  mul,
  reshape,
  rsqrt,
  square,
  sub,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";
import type { Kernels } from "./kernel.ts";

/** Our kernel's name: x [..., H] and scale [H] → normalised times scale, mean [..., 1], 1 / deviation [..., 1]. */
const KERNEL = "LayerNormalization";

/** How layer normalisation is recorded. */
export const kernels: Kernels = {
  [KERNEL]: (graph, inputs, { epsilon }) => {
    const x = inputs["x"]!;
    const attributes = { axis: -1, epsilon: epsilon as number };
    const value = graph.add({
      op: KERNEL,
      inputs: Object.values(inputs),
      attributes,
      shape: x.shape,
      dtype: "float32",
    });
    const part = (index: number) =>
      graph.add({
        op: "Part",
        inputs: [value],
        attributes: { index },
        shape: [...x.shape.slice(0, -1), 1],
        dtype: "float32",
      });
    return [value, part(1), part(2)];
  },
};

interface Normalized {
  /** (x - mean) / deviation. */
  readonly normalized: Tensor;
  /** 1 / deviation [..., 1]. */
  readonly inverse: Tensor;
  /** normalized · gain + bias. */
  readonly y: Tensor;
}

// `gain` and `bias` as layerNorm() reshaped them: [H], or [E, 1, H] for stacked layers.
function forward(x: Tensor, gain: Tensor, bias: Tensor, epsilon: number): Normalized {
  if (!getKernel(KERNEL, getBackend())) {
    const centred = sub(x, mean(x, -1, true));
    const inverse = rsqrt(add(mean(square(centred), -1, true), epsilon));
    const normalized = mul(centred, inverse);
    return { normalized, inverse, y: add(mul(normalized, gain), bias) };
  }
  const run = (inputs: Record<string, Tensor>) =>
    engine().runKernel(KERNEL, inputs, { epsilon }) as Tensor[] as [Tensor, Tensor, Tensor];
  if (gain.rank === 1) {
    const [y, mean, inverse] = run({ x, gain, bias });
    return { normalized: mul(sub(x, mean), inverse), inverse, y };
  }
  // NOTE: the kernel's path for a scale that differs along the batch is four times as slow as scaling afterwards.
  const [normalized, , inverse] = run({ x, gain: ones(x.shape.at(-1)!) });
  return { normalized, inverse, y: add(mul(normalized, gain), bias) };
}

function ones(length: number): Tensor {
  return engine().makeTensor(new Float32Array(length).fill(1), [length], "float32");
}

/**
 * Layer normalisation over the last axis: (x - mean) / sqrt(variance + epsilon) · gain + bias (Ba, Kiros & Hinton
 * 2016), with the biased variance, as PyTorch's LayerNorm.
 *
 * @param x [..., H]; or stacked [E, B, H] for E layers side by side
 * @param gain [H]; stacked [E, H]
 * @param bias as `gain`
 * @throws {RangeError} when the shapes do not fit together
 */
export function layerNorm(x: Tensor, gain: Tensor, bias: Tensor, epsilon = 1e-6): Tensor {
  const width = x.shape.at(-1)!;
  const stacked = gain.rank === 2;
  const wanted = stacked ? [x.shape[0]!, width] : [width];
  if (x.rank < 2 || (stacked && x.rank !== 3)) {
    throw new RangeError(
      `Cannot normalise [${x.shape}] with a gain of [${gain.shape}]: x must be [..., H] or [E, B, H]`,
    );
  }
  for (const [name, { shape }] of Object.entries({ gain, bias })) {
    if (String(shape) !== String(wanted)) {
      throw new RangeError(
        `Cannot normalise [${x.shape}] with a ${name} of [${shape}]: it must be [${wanted}]`,
      );
    }
  }
  if (!stacked && x.rank > 2) {
    return reshape(layerNorm(reshape(x, [-1, width]), gain, bias, epsilon), x.shape);
  }
  const rowShape = stacked ? [x.shape[0]!, 1, width] : [width];
  const columnShape = stacked ? [x.shape[0]!, width, 1] : [width, 1];
  const batchAxis = stacked ? 1 : 0;
  const apply = customGrad((...inputs) => {
    const [x, gain, bias, save] = inputs as unknown as [Tensor, Tensor, Tensor, (tensors: Tensor[]) => void];
    const row = reshape(gain, rowShape);
    const { normalized, inverse, y } = forward(x, row, reshape(bias, rowShape), epsilon);
    save([normalized, inverse, gain]);
    return {
      value: y,
      // With x̂ the normalised x and means over the last axis:
      // dx = (dy·g - mean(dy·g) - x̂·mean(dy·g·x̂)) / deviation. The means are products with the column g / H.
      // NOTE: the reshape stands between 1/H and the products, or ONNX Runtime fuses them and loses its fast path.
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [normalized, inverse, gain] = saved as [Tensor, Tensor, Tensor];
        const weighted = mul(dy, normalized);
        const column = reshape(div(gain, width), columnShape);
        const shift = add(mul(normalized, matMul(weighted, column)), matMul(dy, column));
        return [
          mul(sub(mul(dy, reshape(gain, rowShape)), shift), inverse),
          sum(weighted, batchAxis),
          sum(dy, batchAxis),
        ];
      },
    };
  });
  return apply(x, gain, bias);
}

/**
 * Root mean square normalisation over the last axis: x / sqrt(mean(x²) + epsilon) · gain (Zhang & Sennrich 2019).
 *
 * @param x [..., H]
 * @param gain [H]
 */
export function rmsNorm(x: Tensor, gain: Tensor, epsilon = 1e-6): Tensor {
  return mul(mul(x, rsqrt(add(mean(square(x), -1, true), epsilon))), gain);
}
