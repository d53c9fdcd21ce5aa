/** LeRobot's data sets of versions 2.0 and 2.1, which openpi still writes: one Parquet file an episode, lists as JSON lines. */
import type { Files } from "./files.ts";
import { formatPath, type LeRobotInfo, parseRecord } from "./lerobot_info.ts";
import type { EpisodeEntry } from "./lerobot_read.ts";
import { ParquetFile } from "./parquet_read.ts";

const TASKS = "meta/tasks.jsonl", EPISODES = "meta/episodes.jsonl";

/**
 * Records of a file with one JSON object a line; none where there is no file.
 *
 * @throws {SyntaxError} when a line is no JSON object
 */
export function jsonLines(files: Files, path: string): Record<string, unknown>[] {
  if (!files.paths.includes(path)) return [];
  return new TextDecoder().decode(files.read(path)).split("\n").flatMap((line, i) =>
    line.trim() === "" ? [] : [parseRecord(line, `line ${i + 1} of ${files.name}/${path}`)]
  );
}

/** Tasks in plain words by number. */
export function legacyTasks(files: Files): string[] {
  return jsonLines(files, TASKS).map(({ task_index, task }, row) => {
    if (task_index !== row || typeof task !== "string") {
      throw new SyntaxError(
        `Cannot read line ${row + 1} of ${files.name}/${TASKS}: it must hold task_index ${row} and a task`,
      );
    }
    return task;
  });
}

/**
 * Episodes as `meta/episodes.jsonl` lists them; without it, as the folder's files are numbered.
 *
 * @throws {Error} when an entry or its file is missing
 */
export async function legacyEpisodes(
  files: Files,
  info: LeRobotInfo,
  tasks: readonly string[],
): Promise<EpisodeEntry[]> {
  const lines = jsonLines(files, EPISODES);
  const listed = lines.length > 0 ? lines : await unlisted(files, info, tasks);
  let first = 0;
  return listed.map(({ episode_index: index, tasks: own, length }, row) => {
    if (!Number.isSafeInteger(index) || !Number.isSafeInteger(length) || !Array.isArray(own)) {
      throw new SyntaxError(
        `Cannot read line ${
          row + 1
        } of ${files.name}/${EPISODES}: it must hold episode_index, length and tasks`,
      );
    }
    const fields = {
      episode_chunk: Math.floor(index as number / info.chunkSize),
      episode_index: index as number,
    };
    const path = (template: string, more = {}) =>
      formatPath(template, { ...fields, ...more }, `${files.name}/meta/info.json`);
    const file = path(info.dataPath);
    if (!files.paths.includes(file)) {
      throw new Error(`Cannot open ${files.name}/${file} of episode ${index}: there is no such file`);
    }
    const videos = Object.entries(info.features).flatMap(([key, { dtype }]) => {
      if (dtype !== "video" || info.videoPath === null) return [];
      const part = {
        file: path(info.videoPath, { video_key: key }),
        from: 0,
        to: length as number / info.fps,
      };
      return [[key, part] as const];
    });
    const entry = {
      index: index as number,
      tasks: own.map(String),
      length: length as number,
      file,
      row: 0,
      first,
      videos: Object.fromEntries(videos),
    };
    first += entry.length;
    return entry;
  });
}

const NUMBERED = /^data\/chunk-\d+\/episode_(\d+)\.parquet$/;

async function unlisted(files: Files, { dataPath }: LeRobotInfo, tasks: readonly string[]) {
  const found = files.paths.flatMap((path) => {
    const number = NUMBERED.exec(path)?.[1];
    return number === undefined ? [] : [{ path, index: Number(number) }];
  });
  if (found.length === 0) {
    throw new Error(`Cannot open ${files.name}: it has neither ${EPISODES} nor files as ${dataPath}`);
  }
  found.sort((a, b) => a.index - b.index);
  const entries: Record<string, unknown>[] = [];
  for (const { path, index } of found) {
    const { rows } = await ParquetFile.open(files.open(path), `${files.name}/${path}`);
    entries.push({ episode_index: index, length: rows, tasks: tasks.slice(0, 1) });
  }
  return entries;
}
