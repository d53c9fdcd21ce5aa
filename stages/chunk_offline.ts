/** The offline phase of QC and QC-FQL: critics, flow and actor from stored episodes alone. */
import { z } from "zod";
import { encodeNormalizations } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { stream } from "../random.ts";
import type { ChunkLearner } from "../rl/qc.ts";
import { chunkScale } from "./chunk_data.ts";
import { bufferOf, type ChunkMethod, drawBatches, readUnits, sizesOf } from "./chunk_training.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { learn } from "./update_loop.ts";

/** Units of the flow; rollouts with successes and failures; demonstrations, which may be none. */
export const inputs = {
  normalization: "normalization",
  episodes: "episodes[]",
  demonstrations: "episodes[]",
} as const;
/** The whole learner state, to go on from; the units of the critics' states; the losses. */
export const outputs = { weights: "weights", scale: "normalization", losses: "metrics" } as const;

/** What these stages are told, beside their learner's settings. */
export const parameters = {
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the one-hot input"),
} as const;

/** Makes `learner.steps` updates on minibatches drawn uniformly from all chunks. */
export async function trainOffline<H extends ChunkLearner>(
  context: StageContext<typeof inputs, typeof outputs, { readonly tasks: string[]; readonly learner: H }>,
  method: ChunkMethod<H>,
): Promise<void> {
  const { input, parameters: { tasks, learner: h } } = context;
  const units = await readUnits(input.normalization);
  const rolled = await readEpisodes(input.episodes);
  const episodes = [...rolled, ...await readEpisodes(input.demonstrations)];
  const scale = chunkScale(episodes, tasks), sizes = sizesOf(scale, units);
  const replay = bufferOf(episodes, { view: { scale, tasks }, sizes, h, more: 0 });
  context.log(
    `${rolled.filter(({ success }) => success).length} of ${rolled.length} rollouts succeeded; ` +
      `${episodes.length - rolled.length} demonstrations; ${replay.size} chunks`,
  );
  const shapes = method.updateShapes(sizes, h);
  const { state, metrics } = await learn(context, {
    program: compileUpdate(method.update(h, units), shapes),
    initial: method.initialize(stream(context.seed, "chunk", "initialize"), sizes, h),
    steps: h.steps,
    batches: (calls, _, draws) => drawBatches(shapes.batch, calls, { replay, ...draws }),
  });
  await context.output.weights.write(encodeSafetensors(state));
  await context.output.scale.write(encodeNormalizations({ state: scale }));
  await context.output.losses.write(metrics);
}
