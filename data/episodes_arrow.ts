/**
 * Episodes as an Arrow IPC file with one row a control step: `episode`, `step`, `task`, `target` and `goal` (its roles), `split`, `index`, `success`,
 * `length`, then `tag/NAME` and the episodes' own columns under their names, vectors as fixed-size lists. What was
 * observed once more after the last action stands in a row `step = length`, in which the other columns are null.
 */
import type { NDArray } from "../ndarray.ts";
import { size } from "../ndarray.ts";
import {
  booleanColumn,
  type Column,
  decodeArrow,
  decodeColumn,
  type Decoded,
  dictionaryColumn,
  encodeArrow,
  numericColumn,
} from "./arrow.ts";
import { checkEpisode, type Episode } from "./episode.ts";

const own = ["episode", "step", "task", "target", "goal", "split", "index", "success", "length"];

/**
 * Writes episodes; equal episodes give equal bytes, whatever the order of their records' keys.
 *
 * @throws {RangeError} when an episode contradicts itself (checkEpisode) or differs from the first one in the names
 * or row shapes of its columns
 */
export function encodeEpisodes(episodes: readonly Episode[]): Uint8Array {
  const first = episodes[0];
  const names = Object.keys(first?.columns ?? {}).sort();
  const taken = names.find((name) => own.includes(name) || name.startsWith("tag/"));
  if (taken) throw new RangeError(`Cannot store a column "${taken}": the name is the format's own`);
  episodes.forEach((episode, i) => {
    checkEpisode(episode, `episode ${i}`);
    agree(episode, first!, names, i);
  });
  // Rows of each episode, and per row its episode.
  const once = (episode: Episode) =>
    Object.values(episode.columns).some(({ shape }) => shape[0]! > episode.length);
  const rows = episodes.map((episode) => episode.length + (once(episode) ? 1 : 0));
  const owner = rows.flatMap((count, i) => Array<number>(count).fill(i));
  const perRow = <T>(value: (episode: Episode, i: number) => T) => owner.map((i) => value(episodes[i]!, i));
  const tags = [...new Set(episodes.flatMap((episode) => Object.keys(episode.tags)))].sort();
  const columns: Column[] = [
    numericColumn("episode", Int32Array.from(owner)),
    numericColumn("step", Int32Array.from(rows.flatMap((count) => [...Array(count).keys()]))),
    dictionaryColumn("task", perRow((episode) => episode.task), 0),
    dictionaryColumn("target", perRow((episode) => episode.roles.target), 1),
    dictionaryColumn("goal", perRow((episode) => episode.roles.goal), 2),
    dictionaryColumn("split", perRow((episode) => episode.split), 3),
    numericColumn("index", Int32Array.from(perRow((episode) => episode.index))),
    booleanColumn("success", perRow((episode) => episode.success)),
    numericColumn("length", Int32Array.from(perRow((episode) => episode.length))),
    ...tags.map((name) =>
      numericColumn(
        `tag/${name}`,
        Float64Array.from(perRow((episode) => episode.tags[name] ?? 0)),
        [],
        perRow((episode) => name in episode.tags),
      )
    ),
    ...names.map((name) => {
      const inner = first!.columns[name]!.shape.slice(1);
      const values = new Float32Array(owner.length * size(inner));
      const valid = Array<boolean>(owner.length).fill(true);
      let row = 0;
      episodes.forEach((episode, i) => {
        const column = episode.columns[name]!;
        values.set(column.data, row * size(inner));
        row += rows[i]!;
        if (column.shape[0]! < rows[i]!) valid[row - 1] = false;
      });
      return numericColumn(name, values, inner, valid);
    }),
  ];
  return encodeArrow(columns, owner.length, { format: "uplift-episodes", version: "2" });
}

function agree(episode: Episode, first: Episode, names: readonly string[], i: number): void {
  const given = Object.keys(episode.columns).sort();
  if (given.join() !== names.join()) {
    throw new RangeError(`Cannot store episode ${i} with columns ${given}: episode 0 has ${names}`);
  }
  for (const name of names) {
    const { shape, data } = episode.columns[name]!;
    const wanted = first.columns[name]!.shape.slice(1);
    if (shape.slice(1).join() !== wanted.join() || data.length !== size(shape)) {
      throw new RangeError(
        `Cannot store column "${name}" of episode ${i} with shape [${shape}]: its rows must be [${wanted}]`,
      );
    }
  }
}

/**
 * Reads what encodeEpisodes wrote. Columns and tags come sorted by name.
 *
 * @throws {SyntaxError} when the bytes are not an Arrow IPC file of episodes
 */
export function decodeEpisodes(bytes: Uint8Array): Episode[] {
  const table = decodeArrow(bytes);
  if (table.schema.metadata.get("format") !== "uplift-episodes") {
    throw new SyntaxError(`Cannot read the table as episodes: its schema must say format "uplift-episodes"`);
  }
  const read = (name: string) => decodeColumn(table, name);
  const [owner, task, target, goal, split, index, success, length] = [
    "episode",
    "task",
    "target",
    "goal",
    "split",
    "index",
    "success",
    "length",
  ]
    .map((name) => read(name).values);
  const others = table.schema.fields.map((field) => field.name).filter((name) => !own.includes(name));
  const tags = others.filter((name) => name.startsWith("tag/")).map((name) =>
    [name.slice(4), read(name)] as const
  );
  const columns = others.filter((name) => !name.startsWith("tag/")).map((name) =>
    [name, read(name)] as const
  );
  const episodes: Episode[] = [];
  for (let start = 0, end = 0; start < table.numRows; start = end) {
    while (end < table.numRows && owner![end] === owner![start]) end++;
    episodes.push({
      task: task![start] as string,
      roles: { target: target![start] as string, goal: goal![start] as string },
      split: split![start] as Episode["split"],
      index: index![start] as number,
      success: success![start] as boolean,
      length: length![start] as number,
      columns: Object.fromEntries(columns.map(([name, column]) => [name, slice(column, start, end)])),
      tags: Object.fromEntries(
        tags.filter(([, { valid }]) => valid[start]).map((
          [name, { values }],
        ) => [name, values[start] as number]),
      ),
    });
  }
  return episodes;
}

function slice({ values, inner, valid }: Decoded, start: number, end: number): NDArray {
  const stop = valid[end - 1] ? end : end - 1;
  const width = size(inner);
  return {
    shape: [stop - start, ...inner],
    data: (values as Float32Array).slice(start * width, stop * width),
  };
}
