/** LeRobot data sets written by LeRobot 0.6.1 (v3.0) and 0.3.3 (v2.1), read here; and ours, read again. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { checkDataset } from "./lerobot_check.ts";
import { convertDataset } from "./lerobot_convert.ts";
import type { FrameColumn, Frames } from "./lerobot_frames.ts";
import { LeRobotDataset } from "./lerobot_read.ts";
import { LeRobotWriter } from "./lerobot_write.ts";
import { decodePng, encodePng } from "./png.ts";

const fixtures = fileURLToPath(new URL("../tests/fixtures/lerobot/", import.meta.url));
const scratch = Deno.makeTempDirSync({ prefix: "uplift-lerobot-" });
addEventListener("unload", () => Deno.removeSync(scratch, { recursive: true }));

/** What LeRobot 0.6.1 reads from its own data set; both data sets hold the same frames. */
const theirs = JSON.parse(Deno.readTextFileSync(`${fixtures}v30.json`)) as {
  tasks: string[];
  lengths: number[];
  items: Record<string, unknown>[];
};

/** Every frame as plain values: numbers rounded to single precision, pictures as pixels. */
async function items(dataset: LeRobotDataset): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  for (const entry of dataset.episodes) {
    const frames = await dataset.frames(entry);
    for (let t = 0; t < entry.length; t++) {
      const item = Object.entries(frames).map(([name, column]) => [name, value(column, t)]);
      all.push(Object.fromEntries(item));
    }
  }
  return all;
}

function value(column: FrameColumn, t: number): unknown {
  if (column.kind === "text") return column.values[t];
  if (column.kind === "images") return [...decodePng(column.values[t]!.bytes, `frame ${t}`).data];
  const width = column.values.length / column.shape.reduce((a, b) => a * b, 1);
  const size = column.values.length / width;
  return [...column.values.subarray(t * size, (t + 1) * size)].map(Math.fround);
}

const plain = (item: Record<string, unknown>, names: readonly string[]) =>
  Object.fromEntries(
    names.map((name) => [
      name,
      typeof item[name] === "string" ? item[name] : [item[name]].flat(3).map((x) => Math.fround(Number(x))),
    ]),
  );

for (const version of ["v30", "v21"]) {
  Deno.test(`a data set written by LeRobot is read value by value: ${version}`, async () => {
    const dataset = await LeRobotDataset.open(fixtures + version);
    assert.deepEqual(dataset.tasks, theirs.tasks);
    assert.deepEqual(dataset.episodes.map(({ length }) => length), theirs.lengths);
    assert.deepEqual(dataset.episodes.map(({ tasks }) => tasks[0]), [
      ...["pick up the bowl", "öffne die Schublade", "pick up the bowl", 'push, then "pull"'],
    ]);
    const ours = await items(dataset), names = Object.keys(ours[0]!);
    assert.equal(ours.length, 26);
    ours.forEach((item, i) =>
      assert.deepEqual(plain(item, names), plain(theirs.items[i]!, names), `frame ${i}`)
    );
    const { findings } = await checkDataset(fixtures + version);
    assert.deepEqual(findings.filter(({ severity }) => severity === "error"), []);
  });

  Deno.test(`converting keeps every value and computes statistics: ${version}`, async () => {
    const out = `${scratch}/converted-${version}`;
    const { episodes, frames } = await convertDataset(fixtures + version, { out, quantiles: "mean" });
    assert.deepEqual([episodes, frames], [4, 26]);
    const before = await items(await LeRobotDataset.open(fixtures + version));
    assert.deepEqual(await items(await LeRobotDataset.open(out)), before);
    const checked = await checkDataset(out);
    assert.deepEqual([checked.findings, checked.quantiles], [[], "mean"]);
    const again = `${out}-again`;
    await convertDataset(fixtures + version, { out: again, quantiles: "mean" });
    for (const { name } of [...Deno.readDirSync(`${out}/meta`)].filter(({ isFile }) => isFile)) {
      assert.deepEqual(
        Deno.readFileSync(`${again}/meta/${name}`),
        Deno.readFileSync(`${out}/meta/${name}`),
        name,
      );
    }
    const data = "data/chunk-000/file-000.parquet";
    assert.deepEqual(Deno.readFileSync(`${again}/${data}`), Deno.readFileSync(`${out}/${data}`));
  });
}

Deno.test("part of a data set is a data set, quantiles by the other rule", async () => {
  const out = `${scratch}/part`;
  await convertDataset(`${fixtures}v30`, { out, quantiles: "envelope", episodes: [1, 3] });
  const part = await LeRobotDataset.open(out);
  assert.deepEqual(part.episodes.map(({ index, length, first, row }) => [index, length, first, row]), [
    [0, 2, 0, 0],
    [1, 12, 2, 2],
  ]);
  assert.deepEqual(part.tasks, ["öffne die Schublade", "pick up the bowl"]);
  const { findings, quantiles } = await checkDataset(out);
  assert.deepEqual([findings, quantiles], [[], "envelope"]);
  await assert.rejects(
    convertDataset(`${fixtures}v30`, { out: `${out}-none`, quantiles: "mean", episodes: [9, 12] }),
    /^RangeError: Cannot convert episodes 9:12: .* has 4$/,
  );
  assert.throws(() => Deno.statSync(`${out}-none`), Deno.errors.NotFound);
});

const column = (values: number[], shape: number[] = [1]): FrameColumn => ({
  kind: "numbers",
  shape,
  values: Float64Array.from(values),
});

Deno.test("a new file starts where the old one would grow too large; videos are named, not read", async () => {
  const folder = `${scratch}/large`;
  const features = {
    noise: { dtype: "image", shape: [64, 64, 3], names: ["height", "width", "channels"] },
    film: { dtype: "video", shape: [64, 64, 3], names: ["height", "width", "channels"] },
    x: { dtype: "uint8", shape: [1], names: null },
  };
  const writer = new LeRobotWriter({
    folder,
    fps: 5,
    features,
    robot: null,
    quantiles: "mean",
    dataFileMegabytes: 1,
  });
  const data = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251 ^ (i >> 3));
  const bytes = encodePng({ width: 64, height: 64, channels: 3, data });
  const frames: Frames = {
    noise: { kind: "images", values: Array(100).fill({ bytes, path: "" }) },
    x: column(Array.from({ length: 100 }, (_, i) => i)),
  };
  const statistics = { film: { mean: [0.5, 0.5, 0.5], count: 100 } };
  for (let i = 0; i < 3; i++) {
    writer.add({
      task: Array.from({ length: 100 }, (_, t) => t < 50 ? "first" : `then ${i}`),
      frames,
      videos: { film: { file: "", from: i * 20, to: i * 20 + 20, chunk: 0, number: 0 } },
      videoStatistics: statistics,
    });
  }
  writer.finish({ "meta/provenance.json": "{}\n" });
  const dataset = await LeRobotDataset.open(folder);
  const files = new Set(dataset.episodes.map(({ file }) => file));
  assert.ok(
    files.size > 1 && bytes.length * 300 > 2 ** 20,
    `${files.size} files of ${bytes.length} bytes a picture`,
  );
  assert.deepEqual(dataset.episodes[1]!.tasks, ["first", "then 1"]);
  assert.deepEqual(dataset.episodes[2]!.videos.film, {
    file: "videos/film/chunk-000/file-000.mp4",
    from: 40,
    to: 60,
  });
  assert.deepEqual(dataset.statistics?.film, { mean: [0.5, 0.5, 0.5], count: 300 });
  const last = await dataset.frames(dataset.episodes[2]!, { names: ["x", "task_index", "index"] });
  assert.deepEqual([value(last.x!, 99), value(last.task_index!, 99), value(last.index!, 99)], [[99], [3], [
    299,
  ]]);
  const { findings } = await checkDataset(folder);
  assert.equal(findings.length, 3);
  assert.match(
    findings[0]!.text,
    /^episode 0, row 0 of the list of episodes: its video .*file-000\.mp4 of "film" is missing$/,
  );
});

Deno.test("the writer refuses what would not be read", () => {
  const features = { x: { dtype: "int8", shape: [1], names: null } };
  const options = { fps: 10, features, robot: null, quantiles: "mean" } as const;
  const writer = new LeRobotWriter({ ...options, folder: `${scratch}/refused` });
  const refuse = (frames: Frames, message: RegExp) =>
    assert.throws(() => writer.add({ task: "t", frames }), message);
  refuse({}, /^RangeError: Cannot write episode 0 without frames: it needs at least one$/);
  refuse({ y: column([1]) }, /^RangeError: Cannot write episode 0 without "x": every feature must be there$/);
  refuse(
    { x: column([1]), y: column([1]) },
    /^RangeError: Cannot write "y" of episode 0: the features are x$/,
  );
  refuse({ x: column([128]) }, /^RangeError: Cannot write 128 to "x": it must be an integer that fits int8$/);
  refuse(
    { x: column([1, 2], [2]) },
    /^RangeError: Cannot write "x" with frames of shape \[2\]: its feature has shape \[1\]$/,
  );
  refuse(
    { x: { kind: "text", values: ["1"] } },
    /^RangeError: Cannot write "x" from text: its feature of type int8 takes/,
  );
  assert.throws(() => writer.finish(), /^RangeError: Cannot write a data set without episodes$/);
  assert.throws(
    () => new LeRobotWriter({ ...options, folder: scratch }),
    /^Error: Cannot write a data set to .*: the folder must not exist yet$/,
  );
  const slash = { "a/b": features.x };
  assert.throws(
    () => new LeRobotWriter({ ...options, features: slash, folder: `${scratch}/s` }),
    /free of slashes$/,
  );
});
