/** Damaged and odd data sets: one line that names file, row and column. */
import assert from "node:assert/strict";
import { briefFile } from "./lerobot_brief.ts";
import { offlineEpisode } from "./lerobot_brief.ts";
import { checkDataset } from "./lerobot_check.ts";
import { convertDataset } from "./lerobot_convert.ts";
import { filesIn } from "./files.ts";
import { formatPath, isInside } from "./lerobot_info.ts";
import { LeRobotDataset } from "./lerobot_read.ts";
import { LeRobotWriter } from "./lerobot_write.ts";
import { ParquetFile } from "./parquet_read.ts";
import { encodeParquet, type ParquetField } from "./parquet_write.ts";
import { encodePng } from "./png.ts";

const scratch = Deno.makeTempDirSync({ prefix: "uplift-faults-" });
addEventListener("unload", () => Deno.removeSync(scratch, { recursive: true }));
let count = 0;

const numbers = (values: number[], shape: number[] = [1]) =>
  ({ kind: "numbers", shape, values: Float64Array.from(values) }) as const;

/** Three episodes of 4, 3 and 5 frames. */
function small(): string {
  const folder = `${scratch}/${count++}`;
  const features = {
    "observation.state": { dtype: "float32", shape: [2], names: null },
    "action": { dtype: "float32", shape: [3], names: null },
  };
  const writer = new LeRobotWriter({ folder, fps: 10, features, robot: null, quantiles: "mean" });
  for (const [i, length] of [4, 3, 5].entries()) {
    const row = (width: number) => Array.from({ length: length * width }, (_, k) => Math.sin(k + i));
    writer.add({
      task: `task ${i % 2}`,
      frames: { "observation.state": numbers(row(2), [2]), "action": numbers(row(3), [3]) },
    });
  }
  writer.finish();
  return folder;
}

const DATA = "data/chunk-000/file-000.parquet", EPISODES = "meta/episodes/chunk-000/file-000.parquet";

/** Writes a Parquet file anew with other columns. */
async function rewrite(
  folder: string,
  path: string,
  change: (columns: Record<string, unknown[]>, fields: ParquetField[]) => void,
): Promise<void> {
  const files = filesIn(folder), file = await ParquetFile.open(files.open(path), path);
  const columns = await file.read(file.columns.map(({ name }) => name));
  const fields = file.columns.map((column) => ({ ...column, scalar: column.scalar! }));
  change(columns, fields);
  Deno.writeFileSync(`${folder}/${path}`, encodeParquet(fields, columns));
}

function describe(folder: string, change: (info: Record<string, unknown>) => void): void {
  const path = `${folder}/meta/info.json`, info = JSON.parse(Deno.readTextFileSync(path));
  change(info);
  Deno.writeTextFileSync(path, JSON.stringify(info));
}

/** The findings of a check, the folder taken out. */
async function findings(folder: string): Promise<string[]> {
  const { findings } = await checkDataset(folder);
  return findings.map(({ severity, text }) => `${severity}: ${text.replaceAll(folder, "D")}`);
}

/** That opening, checking and converting all refuse a data set with the same line. */
async function refused(folder: string, message: string): Promise<void> {
  const out = `${folder}-out`;
  for (
    const attempt of [
      () => LeRobotDataset.open(folder),
      () => checkDataset(folder),
      () => convertDataset(folder, { out, quantiles: "mean" }),
    ]
  ) {
    await assert.rejects(attempt(), (error: Error) => {
      assert.equal(error.message.replaceAll(folder, "D"), message);
      return !error.message.includes("\n");
    });
  }
}

/** That converting refuses it with this line, and leaves nothing. */
async function unconverted(folder: string, message: string): Promise<void> {
  const out = `${folder}-out`;
  await assert.rejects(convertDataset(folder, { out, quantiles: "mean" }), (error: Error) => {
    assert.equal(error.message.replaceAll(folder, "D"), message);
    return true;
  });
  assert.throws(() => Deno.statSync(out), Deno.errors.NotFound);
}

Deno.test("a whole data set has no findings", async () => assert.deepEqual(await findings(small()), []));

Deno.test("Parquet files cut off", async () => {
  for (const path of ["meta/tasks.parquet", EPISODES]) {
    const folder = small();
    Deno.truncateSync(`${folder}/${path}`, 200);
    await refused(
      folder,
      `Cannot read D/${path} as Parquet: it must be a whole file with its footer (parquet file invalid (footer != PAR1))`,
    );
  }
  const folder = small();
  Deno.truncateSync(`${folder}/${DATA}`, 200);
  const line =
    `Cannot read D/${DATA} as Parquet: it must be a whole file with its footer (parquet file invalid (footer != PAR1))`;
  assert.deepEqual(await findings(folder), [`error: ${line}`]);
  await unconverted(folder, line);
});

Deno.test("no folder, no description, or none that can be read", async () => {
  await refused(`${scratch}/nothing`, "Cannot open data set D: it must be a folder that can be read");
  const folder = small();
  Deno.writeTextFileSync(`${folder}/meta/info.json`, "{");
  await refused(folder, "Cannot read D/meta/info.json: it must be JSON");
  Deno.removeSync(`${folder}/meta/info.json`);
  await refused(folder, "Cannot open D as a LeRobot data set: it has no meta/info.json");
});

Deno.test("descriptions that say something impossible", async () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ fps: 0 }, 'Cannot read "fps" of D/meta/info.json: 0 must be a positive number'],
    [
      { codebase_version: "v4.0" },
      'Cannot read "codebase_version" of D/meta/info.json: "v4.0" must be v2.0, v2.1 or v3.0',
    ],
    [
      { features: { action: { dtype: "quaternion", shape: [4] } } },
      'Cannot read feature "action" of D/meta/info.json: dtype "quaternion" must be one of float32, float64, int8, int16, ' +
      "int32, int64, uint8, uint16, uint32, uint64, bool, string, image, video, language",
    ],
    [
      { features: { action: { dtype: "float32", shape: [0] } } },
      'Cannot read feature "action" of D/meta/info.json: shape [0] must be 1 to 5 positive integers',
    ],
    [
      { features: { "a/b": { dtype: "float32", shape: [1] } } },
      'Cannot read feature "a/b" of D/meta/info.json: its name must be free of slashes',
    ],
    [
      { data_path: "../../etc/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet" },
      `Cannot open "../../etc/chunk-000/file-000.parquet" named by D/meta/info.json: it must lie inside the data set's folder`,
    ],
    [
      { data_path: "/etc/{chunk_index}" },
      `Cannot open "/etc/0" named by D/meta/info.json: it must lie inside the data set's folder`,
    ],
    [
      { data_path: "data/{secret}.parquet" },
      'Cannot fill "data/{secret}.parquet" of D/meta/info.json: {secret} must be one of chunk_index, file_index',
    ],
  ];
  for (const [change, message] of cases) {
    const folder = small();
    describe(folder, (info) => Object.assign(info, change));
    await refused(folder, message);
  }
});

Deno.test("no path leaves the folder, whatever fills it", () => {
  for (const path of ["..", "a/../b", "/a", "a//b", "./a", "C:/a", "a\\b", "a\0b", ""]) {
    assert.equal(isInside(path), false, JSON.stringify(path));
  }
  assert.ok(isInside("videos/observation.images..front/chunk-000/file-000.mp4"));
  assert.throws(
    () => formatPath("videos/{video_key}/x.mp4", { video_key: "../../x" }, "D"),
    /^SyntaxError: Cannot open "videos\/..\/..\/x\/x.mp4" named by D: it must lie inside/,
  );
  assert.throws(() => filesIn(small()).read("../x"), /^RangeError: Cannot open "..\/x": it must lie inside/);
});

Deno.test("v2.1 passed as v3.0, and the other way round", async () => {
  const old = `${scratch}/${count++}`;
  Deno.mkdirSync(`${old}/meta`, { recursive: true });
  const info = { codebase_version: "v3.0", fps: 10, features: {}, total_episodes: 1 };
  Deno.writeTextFileSync(`${old}/meta/info.json`, JSON.stringify(info));
  Deno.writeTextFileSync(`${old}/meta/episodes.jsonl`, '{"episode_index":0,"tasks":[],"length":1}\n');
  await refused(
    old,
    "Cannot read D as v3.0, which its meta/info.json says: it is laid out as v2.x (meta/episodes.jsonl); set " +
      "codebase_version to v2.1 and run exp data convert",
  );
  const recent = small();
  describe(recent, (info) => info.codebase_version = "v2.1");
  await refused(
    recent,
    `Cannot read D as v2.1, which its meta/info.json says: it is laid out as v3.0 (${EPISODES})`,
  );
});

Deno.test("statistics that are missing, wrong or no numbers", async () => {
  const folder = small(), path = `${folder}/meta/stats.json`;
  const stats = JSON.parse(Deno.readTextFileSync(path));
  stats.action.mean[1] += 0.5;
  delete stats["observation.state"].q99;
  delete stats.index;
  Deno.writeTextFileSync(path, JSON.stringify(stats));
  const found = await findings(folder);
  assert.equal(found.length, 3);
  assert.match(found[0]!, /^warning: D\/meta\/stats.json: q99 of "observation.state" are missing/);
  assert.match(
    found[1]!,
    /^error: D\/meta\/stats.json: mean of "action"\[1\] is 0\.[0-9]+, its frames have -?0\.[0-9]+$/,
  );
  assert.match(found[2]!, /^warning: D\/meta\/stats.json: statistics of "index" are missing$/);
  stats.action.std[0] = null;
  Deno.writeTextFileSync(path, JSON.stringify(stats));
  await refused(folder, 'Cannot read "std" of "action" in D/meta/stats.json: it must be finite numbers');
  Deno.removeSync(path);
  assert.deepEqual(await findings(folder), [
    "error: D/meta/stats.json is missing: policies cannot be normalised without",
  ]);
});

Deno.test("columns that are missing, unknown, or of another type or width", async () => {
  const without = small();
  await rewrite(without, DATA, (columns, fields) => {
    fields.splice(fields.findIndex(({ name }) => name === "action"), 1, {
      name: "extra",
      scalar: "bool",
      lists: 0,
    });
    columns.extra = columns.action!.map(() => true);
  });
  const found = await findings(without);
  assert.deepEqual(found.slice(0, 2), [
    `error: D/${DATA}: column "action" is missing`,
    `error: D/${DATA}: column "extra" is no feature of meta/info.json`,
  ]);
  await unconverted(
    without,
    `Cannot read column "action" of D/${DATA}: its columns are observation.state, extra, timestamp, frame_index, ` +
      "episode_index, index, task_index",
  );
  const narrow = small();
  await rewrite(narrow, DATA, (columns) => (columns.action![5] as number[]).pop());
  const line = `Cannot read column "action" of D/${DATA}, row 5: it has 2 numbers, its feature has shape [3]`;
  assert.ok((await findings(narrow)).includes(`error: ${line}`));
  await unconverted(narrow, line);
  const dataset = await LeRobotDataset.open(small());
  await assert.rejects(
    offlineEpisode(dataset, dataset.episodes[1]!, { action: 7 }),
    (error: Error) => error.message.endsWith(`${DATA}, row 4: it has 3 numbers, actions have 7`),
  );
});

Deno.test("annotations of language are left alone, and left out of what is converted", async () => {
  const folder = small();
  await rewrite(folder, DATA, (columns, fields) => {
    fields.push({ name: "language_events", scalar: "string", lists: 1 });
    columns.language_events = columns.action!.map(() => ["nested in real ones"]);
  });
  describe(folder, ({ features }) => {
    (features as Record<string, unknown>).language_events = { dtype: "language", shape: [1], names: null };
  });
  assert.deepEqual((await findings(folder)).filter((line) => line.startsWith("error")), []);
  const out = `${folder}-out`, { notes } = await convertDataset(folder, { out, quantiles: "mean" });
  assert.deepEqual(notes, ['"language_events" is left out: annotations of language are not read']);
  assert.deepEqual(await findings(out), []);
});

Deno.test("NaN and nothing in a row", async () => {
  const folder = small();
  await rewrite(folder, DATA, (columns) => {
    (columns["observation.state"]![8] as number[])[1] = NaN;
    columns.action![2] = null;
  });
  assert.deepEqual((await findings(folder)).filter((line) => line.startsWith("error")), [
    `error: Cannot read column "action" of D/${DATA}, row 2: it holds nothing, its feature has shape [3]`,
    `error: Cannot read column "observation.state" of D/${DATA}, row 8: NaN must be a finite number`,
  ]);
});

Deno.test("empty episodes and gaps in every kind of index", async () => {
  const list = small();
  await rewrite(list, EPISODES, (columns) => {
    columns.length![1] = 0n;
    columns.episode_index![2] = 5n;
  });
  const found = await findings(list);
  for (
    const line of [
      "error: D/meta/info.json: total_frames is 12, 9 frames are in the list of episodes",
      "error: episode 1, row 1 of the list of episodes: it is empty",
      "error: episode 5, row 2 of the list of episodes: episodes must be numbered without gaps, 2 is due",
      "error: episode 5, row 2 of the list of episodes: its first frame is 7, 4 is due",
      `error: D/${DATA}: it has 12 rows, its 3 episodes have 9`,
    ]
  ) assert.ok(found.includes(line), `${line}\n${found.join("\n")}`);
  await unconverted(list, "Cannot write episode 1 without frames: it needs at least one");

  const rows = small();
  await rewrite(rows, DATA, (columns) => {
    columns.frame_index![6] = 9n;
    columns.index![3] = 33n;
    columns.timestamp![1] = 0.2;
    columns.task_index![11] = 1n;
    columns.episode_index![4] = 0n;
  });
  assert.deepEqual((await findings(rows)).filter((line) => line.startsWith("error: D/data")), [
    `error: D/${DATA}, row 3: "index" is 33, 3 is due in episode 0`,
    `error: D/${DATA}, row 1: "timestamp" is 0.20000000298023224, 0.1 is due in episode 0`,
    `error: D/${DATA}, row 4: "episode_index" is 0, 1 is due in episode 1`,
    `error: D/${DATA}, row 6: "frame_index" is 9, 2 is due in episode 1`,
    `error: D/${DATA}, row 11: "task_index" is 1, which is none of the tasks of episode 2`,
  ]);

  const negative = small();
  await rewrite(negative, EPISODES, (columns) => columns.dataset_from_index![1] = -1n);
  await refused(
    negative,
    `Cannot read column "dataset_from_index" of D/${EPISODES}, row 1: -1 must be an integer from 0 on`,
  );
  const beyond = small();
  await rewrite(beyond, EPISODES, (columns) => columns["data/file_index"]![2] = 4n);
  await refused(
    beyond,
    `Cannot open D/data/chunk-000/file-004.parquet named by D/${EPISODES}, row 2: there is no such file`,
  );
  const tasks = small();
  await rewrite(tasks, "meta/tasks.parquet", (columns) => columns.task_index![1] = 2n);
  await refused(tasks, "Cannot read row 1 of D/meta/tasks.parquet: task task 1 has number 2, it must be 1");
});

/** The brief's layout: one file an episode, slashes in names, a description without features. */
function brief(info: Record<string, unknown> = { total_episodes: 2 }): string {
  const folder = `${scratch}/${count++}`;
  const fields: ParquetField[] = [
    { name: "observation/image", scalar: "image", lists: 0 },
    { name: "observation/state", scalar: "float32", lists: 1 },
    { name: "action", scalar: "float32", lists: 1 },
    { name: "reward", scalar: "float32", lists: 0 },
    { name: "subgoal", scalar: "int64", lists: 0 },
  ];
  Deno.mkdirSync(`${folder}/meta`, { recursive: true });
  Deno.mkdirSync(`${folder}/data/chunk-000`, { recursive: true });
  Deno.writeTextFileSync(`${folder}/meta/info.json`, JSON.stringify(info));
  const bytes = encodePng({ width: 4, height: 2, channels: 3, data: new Uint8Array(24).fill(9) });
  [3, 5].forEach((length, episode) => {
    const each = <T>(f: (t: number) => T) => Array.from({ length }, (_, t) => f(t));
    const columns = {
      "observation/image": each(() => ({ bytes, path: "" })),
      "observation/state": each((t) => [t, episode]),
      "action": each((t) => [0, 0, 0, 0, 0, t, -1]),
      "reward": each((t) => t === length - 1 && episode === 0 ? 1 : 0),
      "subgoal": each((t) => BigInt(t % 2)),
    };
    const path = `${folder}/data/chunk-000/episode_${String(episode).padStart(6, "0")}.parquet`;
    Deno.writeFileSync(path, encodeParquet(fields, columns));
  });
  return folder;
}

Deno.test("the brief's layout is read, checked, and converted", async () => {
  const folder = brief(), dataset = await LeRobotDataset.open(folder);
  assert.equal(briefFile(dataset.files), "data/chunk-000/episode_000000.parquet");
  assert.deepEqual(dataset.info.features["observation/image"]!.shape, [2, 4, 3]);
  const [first, second] = await Promise.all(dataset.episodes.map((entry) => offlineEpisode(dataset, entry)));
  assert.deepEqual([first!.success, second!.success], [true, false]);
  assert.deepEqual([first!.state.shape, second!.action.shape], [[3, 2], [5, 7]]);
  assert.deepEqual([...second!.subgoal!], [0, 1, 0, 1, 0]);
  assert.deepEqual([...first!.reward!], [0, 0, 1]);
  assert.deepEqual((await findings(folder)).filter((line) => line.startsWith("error")), []);
  const out = `${folder}-v3`, { notes, frames } = await convertDataset(folder, { out, quantiles: "mean" });
  assert.equal(frames, 8);
  assert.deepEqual(notes, [
    '"observation/image" is called "observation.image": names must be free of slashes',
    '"observation/state" is called "observation.state": names must be free of slashes',
  ]);
  assert.deepEqual(await findings(out), []);
  const again = await LeRobotDataset.open(out);
  assert.deepEqual(await offlineEpisode(again, again.episodes[0]!), first);
});

Deno.test("offline episodes need a state and an action", async () => {
  const folder = brief();
  for (const name of ["episode_000000", "episode_000001"]) {
    await rewrite(folder, `data/chunk-000/${name}.parquet`, (_, fields) => void fields.splice(2, 1));
  }
  const dataset = await LeRobotDataset.open(folder);
  await assert.rejects(offlineEpisode(dataset, dataset.episodes[0]!), (error: Error) => {
    assert.match(
      error.message,
      /^Cannot read the action of .*episode_000000.parquet: it must have a column action or actions/,
    );
    return true;
  });
});
