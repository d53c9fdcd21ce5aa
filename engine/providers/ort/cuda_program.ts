/** Programs on the GPU: inputs are packed into one block and copied once, the run is one captured graph. */
import { openGpu } from "./cuda.ts";
import { bind, openSession } from "./cuda_session.ts";
import { Layout } from "./layout.ts";
import type { Runnable } from "../provider.ts";
import type { Program } from "../../program.ts";
import type { Tensors } from "../../../ndarray.ts";

/** Loads a program on the GPU. */
export async function load(program: Program): Promise<Runnable> {
  const looped = Object.entries(program.inputs).find(([, shape]) => shape.includes(-1));
  if (looped) {
    throw new Error(
      `Cannot run an update program on cuda by itself: "${looped[0]}" has K parts, use a learner`,
    );
  }
  const gpu = openGpu();
  return await gpu.exclusive(() => {
    // What fails half way leaves nothing behind.
    using owned = new DisposableStack();
    const [inputs, outputs] = [new Layout(program.inputs), new Layout(program.outputs)];
    const [device, results] = [gpu.allocate(inputs.bytes, owned), gpu.allocate(outputs.bytes, owned)];
    const [given, taken] = [gpu.allocateHost(inputs.bytes, owned), gpu.allocateHost(outputs.bytes, owned)];
    const session = owned.use(openSession(gpu, program));
    const binding = owned.use(bind(gpu, session, program, {
      inputs: [{ prefix: "", layout: inputs, block: device }],
      outputs: [{ prefix: "", layout: outputs, block: results }],
      graph: 1,
    }));
    const kept = owned.move();
    return {
      run: (arrays: Tensors): Promise<Tensors> =>
        gpu.exclusive(() => {
          inputs.write(given.buffer, arrays);
          gpu.upload(device.address, given.address, inputs.bytes);
          binding.run();
          gpu.download(taken.address, results.address, outputs.bytes);
          gpu.finish();
          return outputs.read(taken.buffer);
        }),
      [Symbol.asyncDispose]: (): Promise<void> => gpu.exclusive(() => kept.dispose()),
    };
  });
}
