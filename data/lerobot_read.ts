/**
 * LeRobot data sets, version 3.0, and 2.0 and 2.1 through lerobot_legacy.ts: what they are about, and the frames of an
 * episode. Videos are named, not decoded.
 */
import { type Files, filesIn } from "./files.ts";
import { briefFile, inferInfo } from "./lerobot_brief.ts";
import { decodeFrames, fieldOf, type Frames } from "./lerobot_frames.ts";
import { formatPath, type LeRobotInfo, parseInfo, parseRecord, paths } from "./lerobot_info.ts";
import { legacyEpisodes, legacyTasks } from "./lerobot_legacy.ts";
import { parseStatistics, type StoredStatistics } from "./lerobot_statistics.ts";
import { ParquetFile } from "./parquet_read.ts";

/** Where an episode is. */
export interface EpisodeEntry {
  /** Its number. */
  readonly index: number;
  /** Its tasks in plain words. */
  readonly tasks: readonly string[];
  /** Frames, T. */
  readonly length: number;
  /** The file that holds them. */
  readonly file: string;
  /** Row of the file that it starts in. */
  readonly row: number;
  /** Number of its first frame among those of all episodes. */
  readonly first: number;
  /** Its videos by feature. */
  readonly videos: Readonly<Record<string, VideoPart>>;
}

/** Part of a video file. */
export interface VideoPart {
  /** The file. */
  readonly file: string;
  /** Where the episode starts in it, seconds. */
  readonly from: number;
  /** Where it ends. */
  readonly to: number;
}

/** An open data set. */
export class LeRobotDataset {
  /** Its files. */
  readonly files: Files;
  /** Its description. */
  readonly info: LeRobotInfo;
  /** Its tasks in plain words, by number. */
  readonly tasks: readonly string[];
  /** Its episodes as they are listed. */
  readonly episodes: readonly EpisodeEntry[];
  /** Statistics of the whole, if there are any (v2.1 has them by episode only). */
  readonly statistics: StoredStatistics | undefined;
  readonly #opened = new Map<string, Promise<ParquetFile>>();

  private constructor(
    parts: Pick<LeRobotDataset, "files" | "info" | "tasks" | "episodes" | "statistics">,
  ) {
    this.files = parts.files;
    this.info = parts.info;
    this.tasks = parts.tasks;
    this.episodes = parts.episodes;
    this.statistics = parts.statistics;
  }

  /**
   * Opens the data set in a folder.
   *
   * @throws {Error} when the folder is none, or a file that describes it is missing, cut off or contradicts its version
   */
  static async open(folder: string): Promise<LeRobotDataset> {
    const files = filesIn(folder);
    if (!files.paths.includes(paths.info)) {
      throw new Error(`Cannot open ${folder} as a LeRobot data set: it has no ${paths.info}`);
    }
    const raw = parseRecord(textOf(files, paths.info), where(files, paths.info));
    const brief = (!("codebase_version" in raw) || !("features" in raw)) && briefFile(files) !== undefined;
    const info = brief ? await inferInfo(files, raw) : parseInfo(raw, where(files, paths.info));
    checkLayout(files, info);
    const statistics = files.paths.includes(paths.statistics)
      ? parseStatistics(textOf(files, paths.statistics), where(files, paths.statistics))
      : undefined;
    const v3 = info.version === "v3.0";
    const tasks = v3 ? await readTasks(files) : legacyTasks(files);
    const episodes = v3 ? await readEpisodes(files, info) : await legacyEpisodes(files, info, tasks);
    return new LeRobotDataset({ files, info, tasks, episodes, statistics });
  }

  /** An open file of frames. */
  data(path: string): Promise<ParquetFile> {
    let opened = this.#opened.get(path);
    if (!opened) {
      opened = ParquetFile.open(this.files.open(path), where(this.files, path));
      this.#opened.clear(); // episodes come in order: one file at a time is enough
      this.#opened.set(path, opened);
    }
    return opened;
  }

  /**
   * Frames of an episode, of some features or of all that have a column.
   *
   * @param options.anyNumber lets NaN and infinities pass
   * @throws {Error} when the file, a column or a row is not what the description says; names file, row and column
   */
  async frames(
    entry: EpisodeEntry,
    { names, anyNumber = false }: { names?: readonly string[]; anyNumber?: boolean } = {},
  ): Promise<Frames> {
    const { features } = this.info;
    const wanted = names ??
      Object.keys(features).filter((name) => fieldOf(name, features[name]!) !== undefined);
    const file = await this.data(entry.file);
    for (const name of wanted) {
      if (features[name]) continue;
      const all = Object.keys(features).join(", ");
      throw new SyntaxError(`Cannot read feature "${name}" of ${this.files.name}: it has ${all}`);
    }
    const end = entry.row + entry.length;
    if (end > file.rows) {
      throw new SyntaxError(
        `Cannot read episode ${entry.index} from ${
          where(this.files, entry.file)
        }: it should end at row ${end}, the file ` +
          `has ${file.rows}`,
      );
    }
    const rows = await file.read(wanted, entry.row, end);
    const origin = { file: where(this.files, entry.file), row: entry.row, anyNumber };
    return Object.fromEntries(
      wanted.map((name) => [name, decodeFrames(name, features[name]!, rows[name]!, origin)]),
    );
  }
}

/** How errors call a file. */
export const where = (files: Files, path: string): string => `${files.name}/${path}`;

/** A text file. */
export function textOf(files: Files, path: string): string {
  if (!files.paths.includes(path)) {
    throw new Error(`Cannot open ${where(files, path)}: there is no such file`);
  }
  return new TextDecoder().decode(files.read(path));
}

const EPISODES = /^meta\/episodes\/chunk-\d+\/file-\d+\.parquet$/;

/** Refuses a data set that is laid out as another version than it says. */
function checkLayout(files: Files, { version }: LeRobotInfo): void {
  const has = (path: string) => files.paths.includes(path);
  const old = ["meta/episodes.jsonl", "meta/tasks.jsonl"].find(has);
  const recent = files.paths.find((path) => EPISODES.test(path));
  const v3 = version === "v3.0";
  if (v3 && !recent && old) {
    throw new SyntaxError(
      `Cannot read ${files.name} as v3.0, which its ${paths.info} says: it is laid out as v2.x (${old}); set ` +
        "codebase_version to v2.1 and run exp data convert",
    );
  }
  if (!v3 && !old && recent) {
    throw new SyntaxError(
      `Cannot read ${files.name} as ${version}, which its ${paths.info} says: it is laid out as v3.0 (${recent})`,
    );
  }
}

async function readTasks(files: Files): Promise<string[]> {
  const name = where(files, paths.tasks);
  if (!files.paths.includes(paths.tasks)) throw new Error(`Cannot open ${name}: there is no such file`);
  const file = await ParquetFile.open(files.open(paths.tasks), name);
  // pandas calls an index without a name so.
  const column = ["task", "__index_level_0__"].find((text) => file.columns.some((c) => c.name === text));
  if (!column) {
    const names = file.columns.map((each) => each.name).join(", ");
    throw new SyntaxError(`Cannot read the tasks of ${name}: it must have a column "task", and has ${names}`);
  }
  const rows = await file.read(["task_index", column]);
  const tasks: string[] = [];
  rows.task_index!.forEach((value, row) => {
    const text = rows[column]![row];
    // LeRobot looks tasks up by their row.
    if (Number(value) !== row || typeof text !== "string") {
      throw new SyntaxError(
        `Cannot read row ${row} of ${name}: task ${text} has number ${value}, it must be ${row}`,
      );
    }
    tasks.push(text);
  });
  return tasks;
}

async function readEpisodes(files: Files, info: LeRobotInfo): Promise<EpisodeEntry[]> {
  const listed = files.paths.filter((path) => EPISODES.test(path));
  if (listed.length === 0 && info.episodes > 0) {
    throw new Error(`Cannot open ${files.name}: it has no file meta/episodes/chunk-000/file-000.parquet`);
  }
  const entries: EpisodeEntry[] = [];
  const starts = new Map<string, number>();
  for (const path of listed) {
    const name = where(files, path);
    const file = await ParquetFile.open(files.open(path), name);
    const videos = Object.keys(info.features).filter((key) => info.features[key]!.dtype === "video");
    const parts = ["chunk_index", "file_index", "from_timestamp", "to_timestamp"] as const;
    const rows = await file.read([
      ...["episode_index", "tasks", "length", "data/chunk_index", "data/file_index", "dataset_from_index"],
      ...videos.flatMap((key) => parts.map((part) => `videos/${key}/${part}`)),
    ]);
    for (let row = 0; row < file.rows; row++) {
      const integer = (column: string): number => {
        const value = Number(rows[column]![row] ?? NaN);
        if (Number.isSafeInteger(value) && value >= 0) return value;
        throw new SyntaxError(
          `Cannot read column "${column}" of ${name}, row ${row}: ${
            rows[column]![row]
          } must be an integer from 0 on`,
        );
      };
      const data = formatPath(info.dataPath, {
        chunk_index: integer("data/chunk_index"),
        file_index: integer("data/file_index"),
      }, where(files, paths.info));
      if (!files.paths.includes(data)) {
        throw new Error(
          `Cannot open ${where(files, data)} named by ${name}, row ${row}: there is no such file`,
        );
      }
      const first = integer("dataset_from_index");
      if (!starts.has(data)) starts.set(data, first);
      entries.push({
        index: integer("episode_index"),
        tasks: [rows.tasks![row]].flat(2).map(String),
        length: integer("length"),
        file: data,
        row: first - starts.get(data)!,
        first,
        videos: Object.fromEntries(videos.map((key) => [key, {
          file: formatPath(info.videoPath ?? paths.video, {
            video_key: key,
            chunk_index: integer(`videos/${key}/chunk_index`),
            file_index: integer(`videos/${key}/file_index`),
          }, where(files, paths.info)),
          from: Number(rows[`videos/${key}/from_timestamp`]![row]),
          to: Number(rows[`videos/${key}/to_timestamp`]![row]),
        }])),
      });
    }
  }
  return entries;
}
