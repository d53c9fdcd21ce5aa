/** Any LeRobot data set that can be read, written as version 3.0 with statistics of its own. */
import { dirname } from "node:path";
import type { Frames } from "./lerobot_frames.ts";
import { defaultFeatures, type Feature, formatPath, paths } from "./lerobot_info.ts";
import { jsonLines } from "./lerobot_legacy.ts";
import { type EpisodeEntry, LeRobotDataset, where } from "./lerobot_read.ts";
import { type QuantileRule, readStatistics, type StoredStatistics } from "./lerobot_statistics.ts";
import { LeRobotWriter, type NewEpisode } from "./lerobot_write.ts";

/** What to convert, and how. */
export interface ConvertOptions {
  /** The new folder. */
  readonly out: string;
  /** How episodes' quantiles become the data set's. */
  readonly quantiles: QuantileRule;
  /** Which episodes: from, to (not included); all unless said. */
  readonly episodes?: readonly [number, number];
  /** Further files for the new folder, by path. */
  readonly more?: Readonly<Record<string, string>>;
}

/** What came of it. */
export interface Converted {
  /** Episodes written. */
  readonly episodes: number;
  /** Frames written. */
  readonly frames: number;
  /** What a reader of the new data set should know. */
  readonly notes: readonly string[];
}

/**
 * Converts a data set; nothing is left behind where that fails.
 *
 * @throws {Error} when the source cannot be read, holds a NaN, or the new folder is there already
 */
export async function convertDataset(folder: string, options: ConvertOptions): Promise<Converted> {
  const dataset = await LeRobotDataset.open(folder);
  const { info: { features: all, fps, robot } } = dataset;
  const notes: string[] = [];
  const names = new Map<string, string>();
  const features: Record<string, Feature> = {};
  for (const [name, feature] of Object.entries(all)) {
    if (name in defaultFeatures) continue;
    if (feature.dtype === "language") {
      notes.push(`"${name}" is left out: annotations of language are not read`);
      continue;
    }
    const renamed = name.replaceAll("/", ".");
    if (renamed !== name) notes.push(`"${name}" is called "${renamed}": names must be free of slashes`);
    names.set(name, renamed);
    features[renamed] = feature;
  }
  const writer = new LeRobotWriter({
    folder: options.out,
    fps,
    robot,
    features,
    quantiles: options.quantiles,
  });
  try {
    const videos = new Videos(dataset, options.out);
    const [from, to] = options.episodes ?? [0, dataset.episodes.length];
    const chosen = dataset.episodes.slice(from, to);
    if (chosen.length === 0) {
      throw new RangeError(`Cannot convert episodes ${from}:${to}: ${folder} has ${dataset.episodes.length}`);
    }
    for (const entry of chosen) writer.add(await episode(dataset, entry, names, videos));
    if (videos.some) notes.push("statistics of videos are carried over as they were, not computed");
    writer.finish(options.more);
  } catch (error) {
    Deno.removeSync(options.out, { recursive: true });
    throw error;
  }
  return { episodes: writer.episodes, frames: writer.frames, notes };
}

async function episode(
  dataset: LeRobotDataset,
  entry: EpisodeEntry,
  names: ReadonlyMap<string, string>,
  videos: Videos,
): Promise<NewEpisode> {
  const { features } = dataset.info;
  const wanted = [...names.keys()].filter((name) => features[name]!.dtype !== "video");
  const own = ["timestamp", "task_index"].filter((name) => name in features);
  const read = await dataset.frames(entry, { names: [...wanted, ...own] });
  const { timestamp, task_index: numbers } = read;
  const frames: Frames = Object.fromEntries(wanted.map((name) => [names.get(name)!, read[name]!]));
  const task = numbers?.kind === "numbers" && dataset.tasks.length > 0
    ? [...numbers.values].map((number, t) => {
      const text = dataset.tasks[number];
      if (text !== undefined) return text;
      throw new SyntaxError(
        `Cannot read column "task_index" of ${where(dataset.files, entry.file)}, row ${
          entry.row + t
        }: there is no ` +
          `task ${number}`,
      );
    })
    : entry.tasks[0] ?? "";
  return {
    task,
    frames: timestamp ? { ...frames, timestamp } : frames,
    ...videos.of(entry, names),
  };
}

/** Copies video files once each. Those of version 2 keep one file an episode. */
class Videos {
  readonly #dataset: LeRobotDataset;
  readonly #out: string;
  readonly #numbers = new Map<string, Map<string, number>>();
  readonly #statistics: readonly StoredStatistics[];

  constructor(dataset: LeRobotDataset, out: string) {
    this.#dataset = dataset;
    this.#out = out;
    const path = "meta/episodes_stats.jsonl";
    this.#statistics = jsonLines(dataset.files, path).map(({ stats }, i) =>
      readStatistics(stats as Record<string, unknown>, `line ${i + 1} of ${where(dataset.files, path)}`)
    );
  }

  /** Whether there are any. */
  get some(): boolean {
    return this.#numbers.size > 0;
  }

  of(
    entry: EpisodeEntry,
    names: ReadonlyMap<string, string>,
  ): Required<Pick<NewEpisode, "videos" | "videoStatistics">> {
    const videos: Record<string, NonNullable<NewEpisode["videos"]>[string]> = {};
    const statistics: Record<string, StoredStatistics[string]> = {};
    for (const [name, part] of Object.entries(entry.videos)) {
      const key = names.get(name)!;
      const numbers = this.#numbers.get(name) ?? new Map<string, number>();
      this.#numbers.set(name, numbers);
      const known = numbers.get(part.file), place = known ?? numbers.size;
      const chunk = Math.floor(place / 1000), number = place % 1000;
      if (known === undefined) {
        numbers.set(part.file, place);
        const fields = { video_key: key, chunk_index: chunk, file_index: number };
        const target = `${this.#out}/${formatPath(paths.video, fields, "the new data set")}`;
        Deno.mkdirSync(dirname(target), { recursive: true });
        Deno.writeFileSync(target, this.#dataset.files.read(part.file));
      }
      videos[key] = { ...part, chunk, number };
      const own = this.#statistics[entry.index]?.[name] ?? this.#dataset.statistics?.[name];
      if (own) statistics[key] = { ...own, count: entry.length };
    }
    return { videos, videoStatistics: statistics };
  }
}
