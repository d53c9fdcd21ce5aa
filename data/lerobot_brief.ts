/**
 * Data sets in the brief's layout (a README of chunk-level offline RL): `data/chunk-*` / `episode_*.parquet` with columns
 * `observation/image`, `observation/state`, `action`, `reward` and `subgoal`, and a `meta/info.json` that may say nothing of
 * features. And what offline reinforcement learning reads of any data set.
 */
import type { Files } from "./files.ts";
import type { FrameColumn, Frames } from "./lerobot_frames.ts";
import type { Feature, LeRobotInfo } from "./lerobot_info.ts";
import { oldPaths } from "./lerobot_info.ts";
import type { EpisodeEntry, LeRobotDataset } from "./lerobot_read.ts";
import { ParquetFile } from "./parquet_read.ts";
import { decodePng } from "./png.ts";

const EPISODE = /^data\/chunk-\d+\/episode_\d+\.parquet$/;

/** Frames per second where `meta/info.json` has none: what the LIBERO data sets of that layout say. */
const FPS = 10;

/** The first file in the brief's layout, if there is one. */
export const briefFile = (files: Files): string | undefined => files.paths.find((path) => EPISODE.test(path));

/**
 * A description taken from the columns of the first episode.
 *
 * @throws {SyntaxError} when that file is cut off, empty, or has a column of a type that no feature has
 */
export async function inferInfo(
  files: Files,
  raw: Readonly<Record<string, unknown>>,
): Promise<LeRobotInfo> {
  const path = briefFile(files)!, where = `${files.name}/${path}`;
  const file = await ParquetFile.open(files.open(path), where);
  if (file.rows === 0) throw new SyntaxError(`Cannot read the features of ${where}: the episode is empty`);
  const sample = await file.read(file.columns.map(({ name }) => name), 0, 1);
  const features: Record<string, Feature> = {};
  for (const { name, scalar } of file.columns) {
    if (!scalar) {
      throw new SyntaxError(`Cannot read column "${name}" of ${where}: its type is none of a feature's`);
    }
    const shape: number[] = [];
    for (let value = sample[name]![0]; Array.isArray(value); value = value[0]) shape.push(value.length);
    if (scalar === "image") {
      const { bytes } = (sample[name]![0] ?? {}) as { bytes?: Uint8Array };
      const { height, width } = decodePng(bytes ?? new Uint8Array(), `column "${name}" of ${where}, row 0`);
      features[name] = { dtype: scalar, shape: [height, width, 3], names: null };
    } else features[name] = { dtype: scalar, shape: shape.length > 0 ? shape : [1], names: null };
  }
  const all = files.paths.filter((each) => EPISODE.test(each));
  let frames = 0;
  for (const each of all) frames += (await ParquetFile.open(files.open(each), `${files.name}/${each}`)).rows;
  const { fps, chunks_size: chunk } = raw;
  return {
    version: "v2.0",
    fps: typeof fps === "number" && fps > 0 ? fps : FPS,
    features,
    episodes: all.length,
    frames,
    tasks: 0,
    chunkSize: typeof chunk === "number" && chunk >= 1 ? chunk : 1000,
    dataFileMegabytes: 100,
    dataPath: oldPaths.data,
    videoPath: null,
    robot: null,
    splits: {},
  };
}

/** An episode as offline reinforcement learning reads it; T frames. */
export interface OfflineEpisode {
  /** What was to be done, in plain words; "" where nobody says. */
  readonly task: string;
  /** State vectors, [T, S]. */
  readonly state: Matrix;
  /** Actions, [T, A]. */
  readonly action: Matrix;
  /** Reward of each frame, [T]; undefined where the data set has none. */
  readonly reward: Float64Array | undefined;
  /** 1 where a sub-goal was reached, [T]; undefined where the data set has none. */
  readonly subgoal: Float64Array | undefined;
  /** Whether the last frame succeeded, by `next.success` or `success`, else by a positive last reward. */
  readonly success: boolean | undefined;
}

/** T rows of D numbers. */
export interface Matrix {
  /** [T, D]. */
  readonly shape: readonly [number, number];
  /** Row after row. */
  readonly data: Float64Array;
}

/** Names under which data sets have the same thing, the usual one first. */
const aliases = {
  state: ["observation.state", "observation/state", "state"],
  action: ["action", "actions"],
  reward: ["next.reward", "reward"],
  subgoal: ["subgoal"],
  success: ["next.success", "success"],
} as const;

/**
 * Reads an episode for offline reinforcement learning, in any layout.
 *
 * @param options.action how wide actions must be
 * @throws {SyntaxError} when state or action is missing, or the action has another width; names file, row and column
 */
export async function offlineEpisode(
  dataset: LeRobotDataset,
  entry: EpisodeEntry,
  { action: wanted }: { readonly action?: number } = {},
): Promise<OfflineEpisode> {
  const { features } = dataset.info, file = `${dataset.files.name}/${entry.file}`;
  const named = (what: keyof typeof aliases) => aliases[what].find((name) => name in features);
  const must = (what: "state" | "action"): string => {
    const name = named(what);
    if (name !== undefined) return name;
    throw new SyntaxError(
      `Cannot read the ${what} of ${file}: it must have a column ${aliases[what].join(" or ")}, and has ` +
        Object.keys(features).join(", "),
    );
  };
  const names = { state: must("state"), action: must("action") };
  const width = features[names.action]!.shape.at(-1)!;
  if (wanted !== undefined && width !== wanted) {
    throw new SyntaxError(
      `Cannot read column "${names.action}" of ${file}, row ${entry.row}: it has ${width} numbers, actions have ${wanted}`,
    );
  }
  const others = [named("reward"), named("subgoal"), named("success")];
  const frames = await dataset.frames(entry, {
    names: [names.state, names.action, ...others.filter((name) => name !== undefined)],
  });
  const column = (name: string | undefined) => name === undefined ? undefined : numbersOf(frames, name, file);
  const [reward, subgoal, success] = others.map(column);
  const matrix = (name: string): Matrix => {
    const data = numbersOf(frames, name, file);
    return { shape: [entry.length, data.length / entry.length], data };
  };
  const last = success?.at(-1) ?? reward?.at(-1);
  return {
    task: entry.tasks[0] ?? "",
    state: matrix(names.state),
    action: matrix(names.action),
    reward,
    subgoal,
    success: last === undefined ? undefined : last > 0,
  };
}

function numbersOf(frames: Frames, name: string, file: string): Float64Array {
  const column: FrameColumn | undefined = frames[name];
  if (column?.kind === "numbers") return column.values;
  throw new SyntaxError(`Cannot read column "${name}" of ${file}: it must hold numbers`);
}
