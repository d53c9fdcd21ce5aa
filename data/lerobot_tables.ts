/** The tables in `meta/` of a LeRobot data set, version 3.0, as its writer and pandas expect them. */
import type { Feature } from "./lerobot_info.ts";
import { nested, statisticNames, type StoredStatistics } from "./lerobot_statistics.ts";
import { encodeParquet, type ParquetField } from "./parquet_write.ts";

/** Statistics of an episode as columns `stats/FEATURE/NAME`. */
export function flatStatistics(statistics: StoredStatistics, features: Readonly<Record<string, Feature>>) {
  return Object.fromEntries(
    Object.entries(statistics).flatMap(([feature, each]) =>
      statisticNames.map((
        name,
      ) => [`stats/${feature}/${name}`, nested(each, name, features[feature]!)] as const)
    ),
  );
}

/** Rows in the order of their numbers, and the entry by which pandas takes the text for the frame's index. */
export function encodeTasks(tasks: readonly string[]): Uint8Array {
  const column = (name: string, type: string, numpy: string) => ({
    name,
    field_name: name,
    pandas_type: type,
    numpy_type: numpy,
    metadata: null,
  });
  const pandas = {
    index_columns: ["task"],
    column_indexes: [{
      name: null,
      field_name: null,
      pandas_type: "unicode",
      numpy_type: "object",
      metadata: { encoding: "UTF-8" },
    }],
    columns: [column("task_index", "int64", "int64"), column("task", "unicode", "object")],
    attributes: {},
    creator: { library: "uplift", version: "1" },
    pandas_version: "2.3.3",
  };
  return encodeParquet(
    [{ name: "task_index", scalar: "int64", lists: 0 }, { name: "task", scalar: "string", lists: 0 }],
    { task_index: tasks.map((_, number) => BigInt(number)), task: tasks },
    { pandas: JSON.stringify(pandas) },
  );
}

/** One row an episode; null where an episode lacks a statistic that others have. */
export function encodeEpisodes(episodes: readonly Record<string, unknown>[]): Uint8Array {
  const given = new Set(episodes.flatMap(Object.keys));
  const names = [...given].filter((name) => episodes.some((episode) => episode[name] !== undefined));
  const fields = names.map((name): ParquetField => {
    const sample = episodes.find((episode) => episode[name] !== undefined)![name];
    let lists = 0, inner = sample;
    for (; Array.isArray(inner); inner = inner[0]) lists++;
    if (typeof inner === "string") return { name, scalar: "string", lists };
    const whole = /(_index|length|\/count)$/.test(name);
    return { name, scalar: whole ? "int64" : "float64", lists };
  });
  const columns = Object.fromEntries(fields.map(({ name, scalar }) => {
    const convert = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(convert)
        : scalar === "int64" && value != null
        ? BigInt(value as number)
        : value;
    return [name, episodes.map((episode) => convert(episode[name] ?? null))];
  }));
  return encodeParquet(fields, columns);
}

/** Features as Hugging Face's `datasets` names them, so that viewers show pictures. */
export function hubFeatures(features: Readonly<Record<string, Feature>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(features).flatMap(([name, { dtype, shape }]) => {
      if (dtype === "video") return [];
      const value = { dtype, _type: "Value" };
      if (dtype === "image") return [[name, { _type: "Image" }]];
      if (dtype === "string" || (shape.length === 1 && shape[0] === 1)) return [[name, value]];
      if (shape.length === 1) return [[name, { feature: value, length: shape[0], _type: "List" }]];
      return [[name, { shape, dtype, _type: `Array${shape.length}D` }]];
    }),
  );
}
