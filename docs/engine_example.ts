/** The worked example of docs/engine.md: prints what becomes of one function at every step. */
import { matMul, mean, type Scalar, square, sub, tanh } from "@tensorflow/tfjs-core";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { topological, type Value } from "../engine/graph.ts";
import { optimize } from "../engine/passes.ts";
import { compile } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { trace } from "../engine/trace.ts";
import { ndarray } from "../ndarray.ts";

// x: 4 rows of 3 numbers; w [3, 2]; y: what tanh(x w) should be. The squared error, and its gradient in w.
const shapes = { x: [4, 3], w: [3, 2], y: [4, 2] };
function regression({ x, w, y }: Weights): Weights {
  const { loss, gradients } = valueAndGradients(
    (weights) => ({ loss: mean(square(sub(tanh(matMul(x!, weights["w"]!)), y!))) as Scalar }),
    { w: w! },
  );
  return { loss, slope: gradients["w"]! };
}

function show(title: string, roots: readonly Value[]): void {
  const values = topological(roots).filter(({ op }) => op !== "Input" && op !== "Splat");
  console.log(`${title}: ${values.length} operations`);
  const name = ({ op, attributes, id }: Value) =>
    op === "Input" ? attributes["name"] : op === "Splat" ? attributes["value"] : `v${id}`;
  for (const value of values) {
    const transposed = ["transA", "transB"].filter((flag) => value.attributes[flag] === 1);
    const operands = [...value.inputs.map(name), ...transposed].join(", ");
    console.log(`  v${value.id} [${value.shape}] = ${value.op}(${operands})`);
  }
}

const { graph, outputs } = trace(regression, shapes);
const roots = Object.values(outputs);
show("traced", roots);
show("after the passes", optimize(graph, roots));

const program = compile(regression, shapes);
console.log(`model of ${program.onnx.length} bytes, SHA-256 ${program.digest.slice(0, 12)}`);
await using session = await Session.create(program);
const { loss, slope } = await session.run({
  x: ndarray([4, 3], Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1)),
  w: ndarray([3, 2], Float32Array.of(0.5, -0.5, 0, 0.25, -0.25, 0)),
  y: ndarray([4, 2], Float32Array.of(1, 0, 0, 1, 0, 1, 1, 0)),
});
console.log(
  `loss ${loss!.data[0]!.toFixed(6)}, slope ${Array.from(slope!.data, (x) => x.toFixed(6)).join(" ")}`,
);
