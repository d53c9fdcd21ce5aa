/** Whether arrays fit a program: the check every call makes before a provider sees them. */
import type { Program } from "./program.ts";
import { size, type Tensors } from "../ndarray.ts";

/**
 * Checks the inputs of a program whose names begin with `prefix`, all of them unless said.
 *
 * @throws {Error} when one is missing, unknown or of another shape than the program wants
 */
export function checkInputs(program: Program, inputs: Tensors, prefix = ""): void {
  let updates: number | undefined;
  for (const [name, wanted] of Object.entries(program.inputs)) {
    if (!name.startsWith(prefix)) continue;
    const given = inputs[name];
    if (!given) throw new Error(`Cannot run the program without input "${name}": pass it as [${wanted}]`);
    const fits = given.shape.length === wanted.length &&
      wanted.every((extent, i) => extent === -1 ? given.shape[i]! > 0 : extent === given.shape[i]);
    if (!fits) {
      const text = wanted.map((extent) => extent === -1 ? "K" : extent);
      throw new Error(`Cannot run the program with "${name}" of [${given.shape}]: it must be [${text}]`);
    }
    if (!(given.data instanceof Float32Array)) {
      const kind = Object.prototype.toString.call(given.data).slice("[object ".length, -1);
      throw new Error(`Cannot run the program with "${name}" of ${kind}: it must be a Float32Array`);
    }
    if (given.data.length !== size(given.shape)) {
      const needed = `[${given.shape}] needs ${size(given.shape)}`;
      throw new Error(`Cannot run the program with "${name}" of ${given.data.length} elements: ${needed}`);
    }
    if (wanted[0] !== -1) continue;
    updates ??= given.shape[0]!;
    if (updates !== given.shape[0]) {
      throw new Error(`Cannot run ${given.shape[0]} updates of "${name}": other batches hold ${updates}`);
    }
  }
  for (const name of Object.keys(inputs)) {
    if (name in program.inputs) continue;
    const known = Object.keys(program.inputs).join(", ");
    throw new Error(`Cannot run the program with unknown input "${name}": its inputs are ${known}`);
  }
}
