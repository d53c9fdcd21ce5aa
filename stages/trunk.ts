/** The trunk of a ResNet, as stages are given it. */
import { decodeSafetensors } from "../data/safetensors.ts";
import type { Artifact } from "../lab/stage.ts";
import type { Tensors } from "../ndarray.ts";
import { readTrunk } from "../nn/resnet.ts";
import type { Encoder } from "../nn/vision.ts";

/**
 * The trunk that a stage was given, none or one; a small encoder needs none.
 *
 * @throws {Error} when the encoder is a ResNet and there is none
 */
export async function trunkOf(
  files: readonly Artifact[],
  { encoder }: Pick<Encoder, "encoder">,
): Promise<Tensors> {
  if (encoder === "small") return {};
  const [file] = files;
  if (!file) throw new Error("Cannot see through a ResNet without weights: give the stage a trunk");
  return readTrunk(decodeSafetensors(await Deno.readFile(file.path)).tensors, file.digest);
}
