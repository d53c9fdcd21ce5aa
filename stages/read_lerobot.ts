/**
 * Demonstrations from a LeRobot data set instead of the scripted expert: episodes of one task, successes only. The data
 * set lies in the store (`exp data import`), so its digest stands in the stage's key.
 */
import { z } from "zod";
import type { Episode } from "../data/episode.ts";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import { LeRobotDataset } from "../data/lerobot_read.ts";
import { unpackTar } from "../data/tar.ts";
import type { StageContext } from "../lab/stage.ts";
import { episodeOf, neededFeatures, usefulFeatures } from "./lerobot_columns.ts";
import { openWorld, world as settings } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The data set. */
export const inputs = { dataset: "dataset" } as const;
/** Its successful episodes of the task. */
export const outputs = { episodes: "episodes" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  world: settings,
  task: z.string().describe("name of the task; frames say it by this name or by its instruction"),
  episodes: z.int().min(1).max(10_000).describe("successful demonstrations to take, from the first"),
});

const ACTION = 7;

/** Unpacks, checks and reads as many episodes as are wanted. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { task: name, episodes: wanted } = context.parameters;
  const { path, digest } = context.input.dataset;
  const task = (await openWorld(context.parameters.world)).task(name);
  const folder = `${context.scratch()}/dataset`;
  remove(folder); // what an earlier attempt left
  const kept: Episode[] = [];
  try {
    unpackTar(path, folder);
    const dataset = await LeRobotDataset.open(folder);
    const { features, fps } = dataset.info;
    const missing = neededFeatures.filter((feature) => !(feature in features));
    if (missing.length > 0) {
      throw new Error(
        `Cannot take demonstrations from data set ${digest}: it has no ${
          missing.join(", ")
        }, which the policies of ` +
          "this repository see; policies that see pictures train in the LeRobot bridge",
      );
    }
    const width = features.action!.shape.at(-1);
    if (width !== ACTION) {
      throw new Error(
        `Cannot take demonstrations from data set ${digest}: its actions have ${width} numbers, not 7`,
      );
    }
    if (fps !== 20) context.log(`The data set says ${fps} frames a second; worlds are controlled at 20`);
    const names = [...neededFeatures, ...usefulFeatures.filter((feature) => feature in features)];
    for (const each of dataset.episodes) {
      if (kept.length === wanted) break;
      if (!each.tasks.some((text) => text === task.language || text === task.name)) continue;
      const frames = await dataset.frames(each, { names });
      const episode = episodeOf(frames, task, each.length, each.index);
      if (episode.success) kept.push(episode);
    }
    if (kept.length < wanted) {
      throw new Error(
        `Cannot take ${wanted} demonstrations of "${name}" from data set ${digest}: it has ${kept.length} successes of ` +
          `"${task.language}" among ${dataset.episodes.length} episodes`,
      );
    }
  } catch (error) {
    // The folder of this attempt means nothing to a reader.
    throw error instanceof Error
      ? new Error(error.message.replaceAll(folder, `data set ${digest}`), { cause: error })
      : error;
  } finally {
    remove(folder);
  }
  await context.output.episodes.write(encodeEpisodes(kept));
}

function remove(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
