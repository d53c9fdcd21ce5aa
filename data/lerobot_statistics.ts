/**
 * Statistics of a LeRobot data set: of an episode's features, over episodes by either of LeRobot's rules, and as
 * `meta/stats.json` holds them.
 */
import { type Frames, sizeOf } from "./lerobot_frames.ts";
import { type Feature, isNumeric, parseRecord } from "./lerobot_info.ts";
import { decodePng } from "./png.ts";
import {
  type FeatureStatistics,
  type QuantileName,
  quantileNames,
  quantiles,
  RunningStatistics,
} from "./running_statistics.ts";

/** Statistics by feature. */
export type Statistics = Readonly<Record<string, FeatureStatistics>>;

/** Statistics as a file holds them: older ones lack quantiles. */
export type StoredStatistics = Readonly<Record<string, Partial<FeatureStatistics>>>;

/**
 * How quantiles of episodes become quantiles of a data set. "mean": weighted by counts, as in every release up to 0.6.1.
 * "envelope": the least of those up to the median, the greatest of those above, since 2026-08-06 (0.6.2). Neither is a
 * quantile of all frames.
 */
export type QuantileRule = "mean" | "envelope";

/** A picture of three or one channels, row by row from the top, values 0 ... 255. */
export interface Pixels {
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Numbers of a pixel. */
  readonly channels: number;
  /** [height * width * channels]. */
  readonly data: ArrayLike<number>;
}

/** Statistics of T rows of shape `shape`: over frames, and over all but the last axis, as LeRobot does. */
export function rowStatistics(
  values: ArrayLike<number>,
  shape: readonly number[],
  frames: number,
): FeatureStatistics {
  const running = new RunningStatistics(shape.at(-1)!);
  running.update(values);
  return { ...running.statistics(), count: frames };
}

/** Which of `frames` pictures LeRobot takes statistics from: clip(frames^0.75, 100, 10000) of them, evenly spread. */
export function sampledFrames(frames: number): number[] {
  const least = Math.min(100, frames);
  const count = Math.max(least, Math.min(Math.trunc(frames ** 0.75), 10_000));
  const step = count > 1 ? (frames - 1) / (count - 1) : 0;
  return Array.from({ length: count }, (_, i) => roundHalfEven(i === count - 1 ? frames - 1 : i * step));
}

/**
 * Statistics of pictures by channel, in [0, 1]. Pictures of 300 pixels and more are thinned as LeRobot thins them. Pixels
 * have 256 values, so their counts are kept and not the pixels.
 */
export class ImageStatistics {
  #counts: Float64Array[] = [];
  #frames = 0;

  /** Adds a picture. */
  add({ width, height, channels, data }: Pixels): void {
    const longer = Math.max(width, height);
    const step = longer < 300 ? 1 : Math.max(1, Math.trunc((width > height ? width : height) / 150));
    if (this.#frames === 0) this.#counts = Array.from({ length: channels }, () => new Float64Array(256));
    for (let y = 0; y < height; y += step) {
      for (let x = 0; x < width; x += step) {
        const at = (y * width + x) * channels;
        for (let c = 0; c < channels; c++) this.#counts[c]![data[at + c]!]!++;
      }
    }
    this.#frames++;
  }

  /** What all pictures so far amount to. */
  statistics(): FeatureStatistics {
    const parts = this.#counts.map(countStatistics);
    const all = (name: keyof ReturnType<typeof countStatistics>) => parts.map((part) => part[name] / 255);
    return {
      min: all("min"),
      max: all("max"),
      mean: all("mean"),
      std: all("std"),
      count: this.#frames,
      ...Object.fromEntries(quantileNames.map((name) => [name, all(name)])) as Record<QuantileName, number[]>,
    };
  }
}

/** Statistics of an episode's features; of pictures from some frames, as LeRobot takes them. */
export function episodeStatistics(
  frames: Frames,
  features: Readonly<Record<string, Feature>>,
  where: string,
): Statistics {
  const found = Object.entries(frames).flatMap(([name, column]) => {
    const feature = features[name]!;
    if (column.kind === "numbers" && isNumeric(feature)) {
      const count = column.values.length / sizeOf(column.shape);
      return [[name, rowStatistics(column.values, column.shape, count)] as const];
    }
    if (column.kind !== "images") return [];
    const images = new ImageStatistics();
    for (const t of sampledFrames(column.values.length)) {
      images.add(decodePng(column.values[t]!.bytes, `"${name}" of ${where}, frame ${t}`));
    }
    return [[name, images.statistics()] as const];
  });
  return Object.fromEntries(found);
}

/** The same as RunningStatistics of one batch, from counts of the values 0 ... 255. */
function countStatistics(counts: Float64Array) {
  const seen = [...counts.keys()].filter((value) => counts[value]! > 0);
  const total = counts.reduce((sum, n) => sum + n, 0);
  const mean = seen.reduce((sum, value) => sum + value * counts[value]!, 0) / total;
  const square = seen.reduce((sum, value) => sum + value * value * counts[value]!, 0) / total;
  const min = seen[0]!, max = seen.at(-1)!;
  const start = min - 1e-10, width = (max + 1e-10 - start) / 5000;
  const at = (q: number): number => {
    let before = 0;
    for (const value of seen) {
      const inside = counts[value]!, target = q * total;
      if (before + inside >= target) {
        const bin = Math.min(4999, Math.floor((value - start) / width));
        return bin === 0 ? start : start + (bin + (target - before) / inside) * width;
      }
      before += inside;
    }
    return max;
  };
  const std = Math.sqrt(Math.max(0, square - mean * mean));
  const values = Object.fromEntries(quantileNames.map((name) => [name, at(quantiles[name])]));
  return { min, max, mean, std, ...values as Record<QuantileName, number> };
}

function roundHalfEven(x: number): number {
  const below = Math.floor(x), rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/**
 * Statistics of a data set from those of its episodes, by feature; those that not every episode has are left out.
 *
 * @throws {RangeError} when there is no episode
 */
export function aggregate<S extends StoredStatistics>(episodes: readonly S[], rule: QuantileRule): S {
  if (episodes.length === 0) {
    throw new RangeError("Cannot aggregate statistics of no episodes: give at least one");
  }
  const names = [...new Set(episodes.flatMap((each) => Object.keys(each)))];
  return Object.fromEntries(names.map((name) => {
    return [name, join(episodes.map((each) => each[name]).filter((each) => each !== undefined), rule)];
  })) as S;
}

function join(
  parts: readonly Partial<FeatureStatistics>[],
  rule: QuantileRule,
): Partial<FeatureStatistics> {
  const joined: Record<string, number[] | number> = {};
  const column = (name: Exclude<keyof FeatureStatistics, "count">) => {
    const values = parts.map((part) => part[name]);
    return values.every((each) => each !== undefined) ? values : undefined;
  };
  const counts = parts.map(({ count = 1 }) => count), total = counts.reduce((sum, count) => sum + count, 0);
  const over = (values: readonly (readonly number[])[], f: (row: number[]) => number) =>
    values[0]!.map((_, d) => f(values.map((each) => each[d]!)));
  const weighted = (row: readonly number[]) =>
    row.reduce((sum, value, i) => sum + value * counts[i]!, 0) / total;
  const [min, max, mean, std] = [column("min"), column("max"), column("mean"), column("std")];
  if (min) joined.min = over(min, (row) => Math.min(...row));
  if (max) joined.max = over(max, (row) => Math.max(...row));
  if (mean) joined.mean = over(mean, weighted);
  if (mean && std) {
    const middle = joined.mean as number[];
    joined.std = middle.map((center, d) =>
      Math.sqrt(weighted(std.map((each, i) => each[d]! ** 2 + (mean[i]![d]! - center) ** 2)))
    );
  }
  joined.count = total;
  for (const name of quantileNames) {
    const values = column(name);
    if (!values) continue;
    const low = quantiles[name] <= 0.5;
    joined[name] = over(
      values,
      rule === "mean" ? weighted : (row) => low ? Math.min(...row) : Math.max(...row),
    );
  }
  return joined as Partial<FeatureStatistics>;
}

/** Names of all statistics, in the order they are written. */
export const statisticNames = ["min", "max", "mean", "std", "count", ...quantileNames] as const;

/** A statistic as LeRobot nests it: [D], [1] for the count, [C, 1, 1] for images. */
export function nested(
  statistics: Partial<FeatureStatistics>,
  name: typeof statisticNames[number],
  { dtype }: Feature,
): unknown[] | undefined {
  const values = statistics[name];
  if (values === undefined) return undefined;
  if (typeof values === "number") return [values];
  return dtype === "image" || dtype === "video" ? values.map((value) => [[value]]) : [...values];
}

/** The text of `meta/stats.json`. */
export function encodeStatistics(
  statistics: StoredStatistics,
  features: Readonly<Record<string, Feature>>,
): string {
  const entries = Object.entries(statistics).map(([feature, each]) => [
    feature,
    Object.fromEntries(statisticNames.map((name) => [name, nested(each, name, features[feature]!)])),
  ]);
  return JSON.stringify(Object.fromEntries(entries), null, 4) + "\n";
}

/**
 * Reads `meta/stats.json` or one entry of `meta/episodes_stats.jsonl`; `where` is how errors call it.
 *
 * @throws {SyntaxError} when a statistic is not numbers
 */
export function parseStatistics(text: string, where: string): StoredStatistics {
  return readStatistics(parseRecord(text, where), where);
}

/** The same from a record. */
export function readStatistics(record: Readonly<Record<string, unknown>>, where: string): StoredStatistics {
  return Object.fromEntries(
    Object.entries(record).map(([feature, entries]) => {
      const read = Object.entries(entries as Record<string, unknown>).map(([name, value]) => {
        // LeRobot 0.4 writes the range of truth values as such.
        const numbers = [value].flat(Infinity).map((entry) => entry === null ? NaN : Number(entry));
        if (numbers.length === 0 || !numbers.every(Number.isFinite)) {
          throw new SyntaxError(
            `Cannot read "${name}" of "${feature}" in ${where}: it must be finite numbers`,
          );
        }
        return [name, name === "count" ? numbers[0]! : numbers];
      });
      return [feature, Object.fromEntries(read)];
    }),
  );
}
