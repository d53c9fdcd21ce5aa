/**
 * Writes LeRobotDataset v3.0: one row group an episode, statistics by LeRobot's histograms, nothing that depends on the
 * clock or the machine: equal frames give equal bytes.
 */
import { dirname } from "node:path";
import { encodeFrames, fieldOf, type FrameColumn, type Frames, sizeOf } from "./lerobot_frames.ts";
import { defaultFeatures, encodeInfo, type Feature, formatPath, isInside, paths } from "./lerobot_info.ts";
import type { VideoPart } from "./lerobot_read.ts";
import {
  aggregate,
  encodeStatistics,
  episodeStatistics,
  type QuantileRule,
  type StoredStatistics,
} from "./lerobot_statistics.ts";
import { encodeEpisodes, encodeTasks, flatStatistics, hubFeatures } from "./lerobot_tables.ts";
import { type ParquetField, ParquetWriter } from "./parquet_write.ts";

/** What a data set is to be. */
export interface LeRobotOptions {
  /** The folder; it must not exist. */
  readonly folder: string;
  /** Frames per second. */
  readonly fps: number;
  /** Features by name, without those that every data set has. */
  readonly features: Readonly<Record<string, Feature>>;
  /** What recorded it. */
  readonly robot: string | null;
  /** How episodes' quantiles become the data set's. */
  readonly quantiles: QuantileRule;
  /** Size at which a new data file starts, MiB. */
  readonly dataFileMegabytes?: number;
}

/** An episode to write. */
export interface NewEpisode {
  /** What was to be done, in plain words: of the episode, or of each frame. */
  readonly task: string | readonly string[];
  /** Every feature that is no video, over T >= 1 frames; `timestamp` (s) if it is not frame / fps. */
  readonly frames: Frames;
  /** Its video files, already in the folder. */
  readonly videos?: Readonly<Record<string, VideoPart & { readonly chunk: number; readonly number: number }>>;
  /** Statistics of its videos, where some are known. */
  readonly videoStatistics?: StoredStatistics;
}

const FILES_OF_A_CHUNK = 1000;

/** A data set under construction. `finish` must be called: without its footers Parquet is unreadable. */
export class LeRobotWriter {
  readonly #options: LeRobotOptions;
  readonly #features: Readonly<Record<string, Feature>>;
  readonly #fields: readonly ParquetField[];
  readonly #tasks: string[] = [];
  readonly #episodes: Record<string, unknown>[] = [];
  readonly #statistics: StoredStatistics[] = [];
  readonly #metadata: Readonly<Record<string, string>>;
  #file: ParquetWriter;
  #fileNumber = 0;
  #fileFrames = 0;
  #frames = 0;

  /**
   * Starts an empty data set.
   *
   * @throws {Error} when the folder is there already
   */
  constructor(options: LeRobotOptions) {
    this.#options = options;
    this.#features = { ...options.features, ...defaultFeatures };
    this.#fields = Object.entries(this.#features).flatMap(([name, feature]) => {
      if (name === "" || name.includes("/")) {
        throw new RangeError(`Cannot write feature "${name}": its name must be free of slashes`);
      }
      return fieldOf(name, feature) ?? [];
    });
    this.#metadata = { huggingface: JSON.stringify({ info: { features: hubFeatures(this.#features) } }) };
    this.#file = new ParquetWriter(this.#fields, this.#metadata);
    try {
      Deno.mkdirSync(dirname(options.folder), { recursive: true });
      Deno.mkdirSync(options.folder);
    } catch (cause) {
      throw new Error(`Cannot write a data set to ${options.folder}: the folder must not exist yet`, {
        cause,
      });
    }
  }

  /** Episodes so far. */
  get episodes(): number {
    return this.#episodes.length;
  }

  /** Frames so far. */
  get frames(): number {
    return this.#frames;
  }

  /**
   * Adds an episode.
   *
   * @throws {RangeError} when it is empty, a feature is missing or too much, or a value does not fit its type
   */
  add({ task, frames, videos = {}, videoStatistics = {} }: NewEpisode): void {
    const index = this.#episodes.length, length = framesOf(frames);
    if (length === 0) {
      throw new RangeError(`Cannot write episode ${index} without frames: it needs at least one`);
    }
    const { timestamp, ...given } = frames;
    this.#compare(given, videos, index);
    const texts = typeof task === "string" ? Array<string>(length).fill(task) : task;
    const numbers = [...new Set(texts)].map((text) => this.#taskNumber(text));
    const count = (value: (t: number) => number): FrameColumn => ({
      kind: "numbers",
      shape: [1],
      values: Float64Array.from({ length }, (_, t) => value(t)),
    });
    const all: Frames = {
      ...given,
      timestamp: timestamp ?? count((t) => t / this.#options.fps),
      frame_index: count((t) => t),
      episode_index: count(() => index),
      index: count((t) => this.#frames + t),
      task_index: count((t) => this.#tasks.indexOf(texts[t]!)),
    };
    const rows = Object.fromEntries(this.#fields.map(({ name }) => {
      const column = encodeFrames(name, this.#features[name]!, all[name]!);
      if (column.length === length) return [name, column];
      throw new RangeError(
        `Cannot write episode ${index} with ${column.length} frames of "${name}": the others have ${length}`,
      );
    }));
    this.#startFile(length);
    this.#file.write(rows);
    this.#fileFrames += length;
    const statistics = { ...episodeStatistics(all, this.#features, `episode ${index}`), ...videoStatistics };
    this.#statistics.push(statistics);
    this.#episodes.push({
      "episode_index": index,
      "tasks": numbers.map((number) => this.#tasks[number]),
      "length": length,
      "data/chunk_index": Math.floor(this.#fileNumber / FILES_OF_A_CHUNK),
      "data/file_index": this.#fileNumber % FILES_OF_A_CHUNK,
      "dataset_from_index": this.#frames,
      "dataset_to_index": this.#frames + length,
      ...Object.fromEntries(
        Object.entries(videos).flatMap(([key, { chunk, number, from, to }]) => [
          [`videos/${key}/chunk_index`, chunk],
          [`videos/${key}/file_index`, number],
          [`videos/${key}/from_timestamp`, from],
          [`videos/${key}/to_timestamp`, to],
        ]),
      ),
      ...flatStatistics(statistics, this.#features),
      "meta/episodes/chunk_index": 0,
      "meta/episodes/file_index": 0,
    });
    this.#frames += length;
  }

  /**
   * Writes what is left: footers, tasks, episodes, statistics, description, and further files, e.g. the provenance.
   *
   * @throws {RangeError} when there is no episode
   */
  finish(more: Readonly<Record<string, string>> = {}): void {
    if (this.#episodes.length === 0) throw new RangeError("Cannot write a data set without episodes");
    const { fps, robot, quantiles, dataFileMegabytes = 100, features } = this.#options;
    this.#endFile();
    const where = "the new data set";
    this.#write(paths.tasks, encodeTasks(this.#tasks));
    const episodes = formatPath(paths.episodes, { chunk_index: 0, file_index: 0 }, where);
    this.#write(episodes, encodeEpisodes(this.#episodes));
    const statistics = aggregate(this.#statistics, quantiles);
    const text = (path: string, content: string) => this.#write(path, new TextEncoder().encode(content));
    text(paths.statistics, encodeStatistics(statistics, this.#features));
    const videos = Object.values(features).some(({ dtype }) => dtype === "video");
    text(
      paths.info,
      encodeInfo({
        version: "v3.0",
        fps,
        features: this.#features,
        episodes: this.#episodes.length,
        frames: this.#frames,
        tasks: this.#tasks.length,
        chunkSize: FILES_OF_A_CHUNK,
        dataFileMegabytes,
        dataPath: paths.data,
        videoPath: videos ? paths.video : null,
        robot,
        splits: { train: `0:${this.#episodes.length}` },
      }),
    );
    for (const [path, content] of Object.entries(more)) text(path, content);
  }

  #compare(given: Frames, videos: object, index: number): void {
    for (const [name, { dtype }] of Object.entries(this.#options.features)) {
      if (dtype === "video" ? name in videos : name in given) continue;
      throw new RangeError(`Cannot write episode ${index} without "${name}": every feature must be there`);
    }
    const unknown = Object.keys(given).find((name) => !(name in this.#features));
    if (unknown !== undefined) {
      const all = Object.keys(this.#options.features).join(", ");
      throw new RangeError(`Cannot write "${unknown}" of episode ${index}: the features are ${all}`);
    }
  }

  #taskNumber(text: string): number {
    const known = this.#tasks.indexOf(text);
    return known >= 0 ? known : this.#tasks.push(text) - 1;
  }

  /** LeRobot's rule: a new file where the old one would grow beyond its limit. */
  #startFile(length: number): void {
    const limit = (this.#options.dataFileMegabytes ?? 100) * 2 ** 20;
    if (this.#fileFrames === 0 || this.#file.size * (1 + length / this.#fileFrames) < limit) return;
    this.#endFile();
    this.#fileNumber++;
    this.#fileFrames = 0;
    this.#file = new ParquetWriter(this.#fields, this.#metadata);
  }

  #endFile(): void {
    const fields = {
      chunk_index: Math.floor(this.#fileNumber / FILES_OF_A_CHUNK),
      file_index: this.#fileNumber % FILES_OF_A_CHUNK,
    };
    this.#write(formatPath(paths.data, fields, "the new data set"), this.#file.finish());
  }

  #write(path: string, bytes: Uint8Array): void {
    if (!isInside(path)) {
      throw new RangeError(`Cannot write "${path}": it must lie inside the data set's folder`);
    }
    const place = `${this.#options.folder}/${path}`;
    Deno.mkdirSync(dirname(place), { recursive: true });
    Deno.writeFileSync(place, bytes);
  }
}

/** Frames of an episode: all columns must have as many. */
function framesOf(frames: Frames): number {
  const column = Object.values(frames)[0];
  if (!column) return 0;
  return column.kind === "numbers" ? column.values.length / sizeOf(column.shape) : column.values.length;
}
