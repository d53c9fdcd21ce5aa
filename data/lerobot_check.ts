/**
 * What is wrong with a LeRobot data set: columns, counts, gaps, values, statistics. One line a finding, naming file, row
 * and column.
 */
import { decodeFrames, fieldOf, type FrameColumn, type Frames } from "./lerobot_frames.ts";
import type { Feature } from "./lerobot_info.ts";
import { type EpisodeEntry, LeRobotDataset, where } from "./lerobot_read.ts";
import { aggregate, episodeStatistics, sampledFrames, type Statistics } from "./lerobot_statistics.ts";
import { compareStatistics } from "./lerobot_statistics_check.ts";
import { decodePng } from "./png.ts";

/** Something that is not as it should be. */
export interface Finding {
  /** "error": readers would fail or read something else. "warning": they would not, but look at it. */
  readonly severity: "error" | "warning";
  /** One line. */
  readonly text: string;
}

/** What a check saw. */
export interface Checked {
  /** All that is wrong; empty when nothing is. */
  readonly findings: readonly Finding[];
  /** Episodes looked at. */
  readonly episodes: number;
  /** Frames looked at. */
  readonly frames: number;
  /** By which rule the stored quantiles came from those of the episodes; undefined where there is nothing to compare. */
  readonly quantiles: "mean" | "envelope" | "both" | "neither" | undefined;
}

/** LeRobot's tolerance between a timestamp and frame / fps, seconds. */
const TOLERANCE = 1e-4;
/** Findings of one kind that are spelt out; the rest are counted. */
const SHOWN = 20;

/**
 * Looks at every frame of a data set. Never throws for what is in it: that is a finding.
 *
 * @throws {Error} when the folder or what describes it cannot be read at all
 */
export async function checkDataset(folder: string): Promise<Checked> {
  const dataset = await LeRobotDataset.open(folder);
  const findings: Finding[] = [];
  const error = (text: string) => void findings.push({ severity: "error", text });
  checkList(dataset, error);
  await checkColumns(dataset, findings);
  const statistics: Statistics[] = [];
  let frames = 0;
  for (const entry of dataset.episodes) {
    const found = await checkEpisode(dataset, entry, error);
    if (found) statistics.push(found);
    frames += entry.length;
  }
  let quantiles: Checked["quantiles"];
  if (!dataset.statistics) {
    const v3 = dataset.info.version === "v3.0", path = where(dataset.files, "meta/stats.json");
    const text = v3
      ? `${path} is missing: policies cannot be normalised without`
      : `${path} is missing: ${dataset.info.version} may do without, exp data convert computes it`;
    findings.push({ severity: v3 ? "error" : "warning", text });
  } else if (statistics.length > 0 && statistics.length === dataset.episodes.length) {
    const compared = compareStatistics(dataset, {
      mean: aggregate(statistics, "mean"),
      envelope: aggregate(statistics, "envelope"),
    });
    findings.push(...compared.findings);
    quantiles = compared.quantiles;
  }
  const shown = findings.slice(0, SHOWN);
  if (findings.length > SHOWN) {
    shown.push({ severity: "error", text: `${findings.length - SHOWN} more findings are not shown` });
  }
  return { findings: shown, episodes: dataset.episodes.length, frames, quantiles };
}

/** Counts and gaps of the list of episodes. */
function checkList({ info, episodes, tasks, files }: LeRobotDataset, error: (text: string) => void): void {
  const path = where(files, "meta/info.json");
  const frames = episodes.reduce((sum, { length }) => sum + length, 0);
  const counts = [
    ["total_episodes", info.episodes, episodes.length, "episodes are listed"],
    ["total_frames", info.frames, frames, "frames are in the list of episodes"],
    ["total_tasks", info.tasks, tasks.length, "tasks are listed"],
  ] as const;
  for (const [field, said, counted, what] of counts) {
    if (said !== counted) error(`${path}: ${field} is ${said}, ${counted} ${what}`);
  }
  for (const [split, range] of Object.entries(info.splits)) {
    const [, from, to] = /^(\d+):(\d+)$/.exec(String(range)) ?? [];
    if (to === undefined || Number(from) > Number(to) || Number(to) > episodes.length) {
      error(`${path}: split "${split}" is "${range}", it must be FROM:TO within 0:${episodes.length}`);
    }
  }
  let first = 0;
  episodes.forEach((entry, i) => {
    const name = `episode ${entry.index}, row ${i} of the list of episodes`;
    if (entry.index !== i) error(`${name}: episodes must be numbered without gaps, ${i} is due`);
    if (entry.length === 0) error(`${name}: it is empty`);
    if (entry.first !== first) {
      error(`${name}: its first frame is ${entry.first}, ${first} is due`);
    }
    first = entry.first + entry.length;
    for (const task of entry.tasks) {
      if (!tasks.includes(task)) error(`${name}: its task "${task}" is not among the tasks`);
    }
    for (const [key, { file }] of Object.entries(entry.videos)) {
      if (!files.paths.includes(file)) {
        error(`${name}: its video ${where(files, file)} of "${key}" is missing`);
      }
    }
  });
}

/** Columns of every data file against the features, and rows against the list of episodes. */
async function checkColumns(dataset: LeRobotDataset, findings: Finding[]): Promise<void> {
  const { info: { features, version }, files, episodes } = dataset;
  const owners = Map.groupBy(episodes, ({ file }) => file);
  for (const path of files.paths.filter((each) => each.startsWith("data/") && each.endsWith(".parquet"))) {
    if (!owners.has(path)) {
      findings.push({ severity: "warning", text: `${where(files, path)}: no episode names this file` });
    }
  }
  for (const [path, own] of owners) {
    const name = where(files, path);
    const error = (text: string) => void findings.push({ severity: "error", text: `${name}: ${text}` });
    try {
      const file = await dataset.data(path);
      for (const [key, feature] of Object.entries(features)) {
        const wanted = fieldOf(key, feature);
        if (!wanted) continue;
        const column = file.columns.find((each) => each.name === key);
        if (!column) error(`column "${key}" is missing`);
        else if (column.scalar !== wanted.scalar || column.lists !== wanted.lists) {
          const plain = column.scalar && same(column.scalar, wanted.scalar) && column.lists === wanted.lists;
          const text = `column "${key}" holds ${type(column)}, its feature says ${type(wanted)}`;
          findings.push({ severity: plain ? "warning" : "error", text: `${name}: ${text}` });
        }
      }
      for (const { name: key } of file.columns) {
        if (!(key in features)) error(`column "${key}" is no feature of meta/info.json`);
      }
      const due = own.reduce((sum, { length }) => sum + length, 0);
      if (file.rows !== due) error(`it has ${file.rows} rows, its ${own.length} episodes have ${due}`);
      else if (version === "v3.0" && file.groups.join() !== own.map(({ length }) => length).join()) {
        const text = `${name}: its row groups are not its episodes, reading one episode reads others too`;
        findings.push({ severity: "warning", text });
      }
    } catch (failure) {
      findings.push({ severity: "error", text: message(failure) });
    }
  }
}

const same = (a: string, b: string) => a.replace(/\d+/, "") === b.replace(/\d+/, "");
const type = ({ scalar = "something else", lists }: { scalar?: string | undefined; lists: number }) =>
  "list of ".repeat(lists) + scalar;
const message = (failure: unknown) => failure instanceof Error ? failure.message : String(failure);

/** Frames of an episode; their statistics when all could be read. */
async function checkEpisode(
  dataset: LeRobotDataset,
  entry: EpisodeEntry,
  error: (text: string) => void,
): Promise<Statistics | undefined> {
  const { info: { features, fps }, files, tasks } = dataset;
  const origin = { file: where(files, entry.file), row: entry.row };
  const read: Record<string, FrameColumn> = {};
  let file;
  try {
    file = await dataset.data(entry.file);
    if (entry.row + entry.length > file.rows) return undefined; // found with the columns
  } catch {
    return undefined;
  }
  let whole = entry.length > 0;
  for (const [name, feature] of Object.entries(features)) {
    if (!fieldOf(name, feature) || !file.columns.some((column) => column.name === name)) continue;
    try {
      const rows = await file.read([name], entry.row, entry.row + entry.length);
      read[name] = decodeFrames(name, feature, rows[name]!, origin);
      checkPictures(name, feature, read[name], origin);
    } catch (failure) {
      error(message(failure));
      whole = false;
    }
  }
  const row = (t: number) => `${origin.file}, row ${entry.row + t}`;
  const expect = (name: string, due: (t: number) => number, tolerance = 0) => {
    const column = read[name];
    if (column?.kind !== "numbers") return;
    const t = column.values.findIndex((value, t) => !(Math.abs(value - due(t)) <= tolerance));
    if (t >= 0) {
      error(`${row(t)}: "${name}" is ${column.values[t]}, ${due(t)} is due in episode ${entry.index}`);
    }
  };
  expect("episode_index", () => entry.index);
  expect("frame_index", (t) => t);
  expect("index", (t) => entry.first + t);
  expect("timestamp", (t) => t / fps, TOLERANCE);
  const numbers = read.task_index;
  if (numbers?.kind === "numbers") {
    const t = numbers.values.findIndex((number) => !entry.tasks.includes(tasks[number]!));
    if (t >= 0) {
      error(
        `${row(t)}: "task_index" is ${
          numbers.values[t]
        }, which is none of the tasks of episode ${entry.index}`,
      );
    }
  }
  return whole ? episodeStatistics(read as Frames, features, `episode ${entry.index}`) : undefined;
}

function checkPictures(
  name: string,
  { shape, names }: Feature,
  column: FrameColumn,
  { file, row }: { file: string; row: number },
): void {
  if (column.kind !== "images") return;
  // Channels stand first in older data sets; which, the names say.
  const first = Array.isArray(names) ? /^channel/.test(String(names[0])) : shape[0]! <= 4 && shape[2]! > 4;
  const [height, width] = first ? [shape[1], shape[2]] : [shape[0], shape[1]];
  for (const t of sampledFrames(column.values.length)) {
    const label = `column "${name}" of ${file}, row ${row + t}`;
    const picture = decodePng(column.values[t]!.bytes, label);
    if (picture.width !== width || picture.height !== height) {
      throw new SyntaxError(
        `Cannot read ${label}: it has ${picture.height} x ${picture.width} pixels, its feature says ${height} x ${width}`,
      );
    }
  }
}
