/**
 * Hybrid episodes as a LeRobot data set, v3.0: state, the action that was executed as the label, task, success, T_base,
 * and pictures where cameras are asked for. The pictures come from replaying the actions, which brings back the same
 * episode bit for bit; a replay that does not is an error.
 */
import { z } from "zod";
import type { Episode } from "../data/episode.ts";
import type { FrameColumn } from "../data/lerobot_frames.ts";
import { LeRobotWriter } from "../data/lerobot_write.ts";
import type { EmbeddedImage } from "../data/parquet_write.ts";
import { encodePng } from "../data/png.ts";
import { decodeTable } from "../data/table.ts";
import { packTar } from "../data/tar.ts";
import type { CameraSettings, Image } from "../envs/environment.ts";
import type { Artifact, StageContext } from "../lab/stage.ts";
import { hybridFeatures, hybridFrames, imageFeature } from "./lerobot_columns.ts";
import { type ChunkAdvantages, weightFeatures, weightFrames, weighting } from "./lerobot_weights.ts";
import { mirrored, resizeWithPad } from "../policies/resize_with_pad.ts";
import { observationRow } from "./recording.ts";
import { type Actor, rollout } from "./rollout.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { openWorld, type World, world as settings } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/**
 * The episodes; demonstrations after them, which count as positive (A = 1); advantages of chunks, one row a control step of
 * both, for weights of single chunks; and what acted, whose digests stand in the provenance: a policy of ours or of LeRobot.
 */
export const inputs = {
  hybrid: "episodes[]",
  demonstrations: "episodes[]",
  advantages: "metrics[]",
  policy: "weights[]",
  residuals: "weights[]",
  checkpoint: "checkpoint[]",
} as const;
/** The data set's folder as one file. */
export const outputs = { dataset: "dataset" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  world: settings,
  quantiles: z.enum(["mean", "envelope"]).default("mean")
    .describe("how episodes' quantiles become the data set's: LeRobot's rule up to 0.6.1, or since"),
  weights: weighting.nullable().default(null)
    .describe("columns advantage, weight, is_positive and is_start, for training with weights; null: none"),
  pictures: z.enum(["upright", "libero"]).default("upright").describe(
    "upright, under the cameras' names; libero: image and image2 as policies for LIBERO are shown them, mirrored and " +
      "fitted into 224 x 224",
  ),
  lanes: z.int().min(1).max(256).describe("episodes replayed together, where there are cameras"),
  made: z.record(z.string(), z.json()).default({})
    .describe("settings the episodes were made with: written into the provenance"),
});

/** Frames per second: the control rate of all worlds. */
const FPS = 20;

/** Writes the data set, renders where asked, packs it. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { world: where, quantiles, weights, pictures, lanes, made } = context.parameters;
  const { hybrid, demonstrations, advantages, policy, residuals, checkpoint } = context.input;
  const shownBy = (episode: Episode) => ({ ...episode, tags: { ...episode.tags, advantage: 1 } });
  const episodes = [...await readEpisodes(hybrid), ...(await readEpisodes(demonstrations)).map(shownBy)];
  const chunks = await chunksOf(advantages, episodes);
  const evaluated = episodes.find(({ split }) => split === "evaluation");
  if (evaluated) {
    throw new Error(
      `Cannot write an episode of "${evaluated.task}" from evaluation state ${evaluated.index}: those must never train`,
    );
  }
  const world = await openWorld(where);
  const cameras = camerasOf(where, episodes), shown = shownAs[pictures];
  const folder = `${context.scratch()}/dataset`;
  remove(folder); // what an earlier attempt left
  const writer = new LeRobotWriter({
    folder,
    fps: FPS,
    features: { ...hybridFeatures(shown.cameras(cameras)), ...weights ? weightFeatures : {} },
    robot: "panda",
    quantiles,
  });
  const add = (episode: Episode, images: Readonly<Record<string, FrameColumn>>) => {
    const columns = {
      ...hybridFrames(episode),
      ...weights ? weightFrames(episode, weights, chunks?.get(episode)) : {},
    };
    writer.add({ task: world.task(episode.task).language, frames: { ...images, ...columns } });
  };
  if (cameras.length === 0) { for (const episode of episodes) add(episode, {}); }
  else await render(context, { world, episodes, cameras, lanes, add, shown });
  const provenance = {
    world: where,
    quantiles,
    ...weights ? { weights } : {},
    seed: context.seed,
    made,
    inputs: {
      hybrid: hybrid.map(({ digest }) => digest),
      demonstrations: demonstrations.map(({ digest }) => digest),
      advantages: advantages.map(({ digest }) => digest),
      policy: policy.map(({ digest }) => digest),
      residuals: residuals.map(({ digest }) => digest),
      checkpoint: checkpoint.map(({ digest }) => digest),
    },
  };
  writer.finish({ "meta/provenance.json": JSON.stringify(provenance, null, 2) + "\n" });
  context.log(`${writer.episodes} episodes, ${writer.frames} frames`);
  const path = `${folder}.tar`;
  remove(path);
  packTar(folder, path);
  await context.output.dataset.write({ path });
}

/** The advantages of each episode's chunks, where there are such. */
async function chunksOf(
  advantages: readonly Artifact[],
  episodes: readonly Episode[],
): Promise<ReadonlyMap<Episode, ChunkAdvantages> | undefined> {
  const [file] = advantages;
  if (!file) return undefined;
  const { valid, advantage } = decodeTable(await Deno.readFile(file.path)) as Record<string, Float64Array>;
  const steps = episodes.reduce((sum, { length }) => sum + length, 0);
  if (!valid || !advantage || advantage.length !== steps) {
    throw new Error(
      `Cannot weigh ${steps} control steps by ${file.digest}: it must have "valid" and "advantage" for each`,
    );
  }
  let from = 0;
  return new Map(episodes.map((episode) => {
    const to = from + episode.length;
    const own = { valid: valid.subarray(from, to), advantage: advantage.subarray(from, to) };
    from = to;
    return [episode, own];
  }));
}

/** How pictures are written: the cameras as features, and what is made of a picture. */
interface Shown {
  readonly cameras: (cameras: readonly CameraSettings[]) => CameraSettings[];
  readonly picture: (image: Image) => Image;
}

/** Height and width of the pictures that policies for LIBERO are shown. */
const SIDE = 224;

const shownAs: Readonly<Record<"upright" | "libero", Shown>> = {
  upright: { cameras: (cameras) => [...cameras], picture: (image) => image },
  libero: {
    cameras: (cameras) =>
      cameras.map((_, i) => ({ name: i === 0 ? "image" : `image${i + 1}`, width: SIDE, height: SIDE })),
    picture: (image) => resizeWithPad(mirrored(image), SIDE, SIDE),
  },
};

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The cameras with their sizes. */
function camerasOf(
  { cameras = [] }: z.output<typeof settings>,
  episodes: readonly Episode[],
): CameraSettings[] {
  if (episodes.length === 0) throw new Error("Cannot write a data set of no episodes: give at least one");
  return cameras.map(({ name, width, height }) => {
    if (width === undefined || height === undefined) {
      throw new Error(`Cannot render camera "${name}" for a data set: give its width and height`);
    }
    return { name, width, height };
  });
}

/** Replays stored actions and keeps what the cameras show before each of them. */
class Replay implements Actor {
  readonly #episodes: ReadonlyMap<number, Episode>;
  readonly #picture: Shown["picture"];
  readonly images = new Map<number, Record<string, EmbeddedImage[]>>();

  /** Plans carry the number of their episode as `noise`. */
  constructor(episodes: readonly Episode[], { picture }: Shown) {
    this.#picture = picture;
    this.#episodes = new Map(episodes.entries());
  }

  begin({ plan: { noise } }: Parameters<Actor["begin"]>[0]): void {
    this.images.set(noise, {});
  }

  act(lanes: Parameters<Actor["act"]>[0]): ReturnType<Actor["act"]> {
    return Promise.resolve(lanes.map((lane) => {
      if (!lane) return undefined;
      const { plan: { noise: number }, t, observation } = lane;
      const episode = this.#episodes.get(number)!;
      if (t >= episode.length) throw diverged(episode, t);
      for (const [name, values] of Object.entries(observationRow(observation))) {
        const stored = episode.columns[name];
        if (!stored) continue;
        const width = stored.data.length / stored.shape[0]!;
        for (let i = 0; i < width; i++) {
          if (stored.data[t * width + i] !== Math.fround(values[i]!)) throw diverged(episode, t);
        }
      }
      const images = this.images.get(number)!;
      for (const [camera, image] of Object.entries(observation.images ?? {})) {
        const { width, height, data } = this.#picture(image);
        const bytes = encodePng({ width, height, channels: 3, data });
        (images[camera] ??= []).push({ bytes, path: `frame-${String(t).padStart(6, "0")}.png` });
      }
      return { action: episode.columns.action!.data.slice(t * 7, (t + 1) * 7) };
    }));
  }
}

const diverged = ({ task, index }: Episode, t: number) =>
  new Error(
    `Cannot render an episode of "${task}" from state ${index}: its replay differs from the record at step ${t}, the ` +
      "world must be the one it was recorded in",
  );

async function render(
  { workers, progress, interrupted, interruption, spend }: Pick<
    StageContext<typeof inputs, typeof outputs, unknown>,
    "workers" | "progress" | "interrupted" | "interruption" | "spend"
  >,
  { world, episodes, cameras, lanes, add, shown }: {
    readonly world: World;
    readonly episodes: readonly Episode[];
    readonly cameras: readonly CameraSettings[];
    readonly lanes: number;
    readonly shown: Shown;
    readonly add: (episode: Episode, images: Readonly<Record<string, FrameColumn>>) => void;
  },
): Promise<void> {
  const size = Math.min(lanes, episodes.length);
  await using pool = await world.pool({ lanes: size, workers });
  const actor = new Replay(episodes, shown), ended = new Map<number, number>();
  const plan = (i: number) => {
    const episode = episodes[i];
    if (!episode) return undefined;
    const { split, index } = episode;
    return { task: world.task(episode.task), state: { split, index }, noise: i };
  };
  let done = 0, steps = 0;
  const options = { pool, size, plan, actor, observations: false };
  for await (const { number, episode: { success, length } } of rollout(options)) {
    const recorded = episodes[number]!;
    if (success !== recorded.success || length !== recorded.length) throw diverged(recorded, length);
    ended.set(number, length);
    steps += length;
    // In the order of the episodes, whichever ends first.
    for (; ended.has(done); done++) {
      const images = actor.images.get(done)!;
      const named = shown.cameras(cameras).map(({ name }, i) => {
        const values = images[cameras[i]!.name] ?? [];
        return [imageFeature(name), { kind: "images", values } as const] as const;
      });
      add(episodes[done]!, Object.fromEntries(named));
      actor.images.delete(done);
    }
    progress({ done, total: episodes.length, unit: "episodes" });
    if (interrupted()) throw interruption();
  }
  spend({ environmentSteps: steps });
}
