/**
 * The real `lerobot` package against ours, both ways, on this machine:
 *
 *     deno run -A tests/lerobot_interop.ts PYTHON [PYTHON ...]
 *
 * Each PYTHON is an interpreter that imports lerobot (0.4.4, 0.6.1; 0.3.3 for writing v2.1). Values must be equal, tasks,
 * lengths and `delta_timestamps` windows too, moments to 1e-5, quantiles to a step of LeRobot's own histogram. Prints one line a
 * comparison; the exit code is 1 when one fails. Not part of the test suite: lerobot brings 5 GB of packages.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { checkDataset } from "../data/lerobot_check.ts";
import { convertDataset } from "../data/lerobot_convert.ts";
import type { FrameColumn } from "../data/lerobot_frames.ts";
import { sizeOf } from "../data/lerobot_frames.ts";
import type { Feature } from "../data/lerobot_info.ts";
import { LeRobotDataset } from "../data/lerobot_read.ts";
import { LeRobotWriter } from "../data/lerobot_write.ts";
import { decodePng, encodePng } from "../data/png.ts";
import { BINS, type FeatureStatistics, quantileNames } from "../data/running_statistics.ts";
import { stream } from "../random.ts";

const script = fileURLToPath(new URL("fixtures/lerobot/interop.py", import.meta.url));
const scratch = Deno.makeTempDirSync({ prefix: "uplift-interop-" });

/** What interop.py tells of a data set. */
interface Told {
  readonly lerobot: string;
  readonly frames: number;
  readonly fps: number;
  readonly tasks: readonly string[];
  readonly lengths: readonly number[];
  readonly episode_tasks: readonly (readonly string[])[];
  readonly statistics: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly windows: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly selected: number;
}

function ask(python: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(python, { args: [script, ...args] }).outputSync();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(
    `${python} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`,
  );
}

const flat = (value: unknown): number[] => [value].flat(5).map(Number);
const single = (values: readonly number[]) => values.map(Math.fround);

function valueAt(column: FrameColumn, t: number): unknown {
  if (column.kind === "text") return column.values[t];
  if (column.kind === "images") return [...decodePng(column.values[t]!.bytes, `frame ${t}`).data];
  const width = sizeOf(column.shape);
  return [...column.values.subarray(t * width, (t + 1) * width)];
}

/** All that lerobot read against all that we read. */
async function compareFrames(dataset: LeRobotDataset, told: Told): Promise<string> {
  assert.deepEqual(told.tasks, dataset.tasks);
  assert.deepEqual(told.lengths, dataset.episodes.map(({ length }) => length));
  assert.deepEqual(told.episode_tasks, dataset.episodes.map(({ tasks }) => tasks));
  assert.equal(told.fps, dataset.info.fps);
  assert.equal(told.selected, dataset.episodes[0]!.length);
  let values = 0, at = 0;
  const actions: number[][] = [], ends: number[] = [];
  for (const entry of dataset.episodes) {
    const frames = await dataset.frames(entry);
    for (let t = 0; t < entry.length; t++, at++) {
      const item = told.items[at]!;
      for (const [name, column] of Object.entries(frames)) {
        const ours = valueAt(column, t), theirs = item[name];
        if (typeof ours === "string") assert.equal(theirs, ours, `${name} of frame ${at}`);
        else assert.deepEqual(single(flat(theirs)), single(ours as number[]), `${name} of frame ${at}`);
        values += typeof ours === "string" ? 1 : (ours as number[]).length;
      }
      assert.equal(item.task, dataset.tasks[flat(item.task_index)[0]!]);
      actions.push(valueAt(frames.action!, t) as number[]);
      ends.push(entry.first + entry.length - 1);
    }
  }
  assert.equal(at, told.frames);
  for (const [text, window] of Object.entries(told.windows)) {
    const i = Number(text), due = [0, 1, 2].map((k) => Math.min(i + k, ends[i]!));
    assert.deepEqual(single(flat(window.action)), single(due.flatMap((k) => actions[k]!)), `window at ${i}`);
    assert.deepEqual(
      flat(window.action_is_pad),
      [0, 1, 2].map((k) => Number(i + k > ends[i]!)),
      `padding at ${i}`,
    );
  }
  return `${at} frames, ${values} values, ${Object.keys(told.windows).length} windows equal`;
}

/** Statistics lerobot computed against ours of the same frames; where 0.4 overflows, that is said. */
async function compareStatistics(dataset: LeRobotDataset, told: Told, out: string): Promise<string> {
  await convertDataset(dataset.files.name, { out, quantiles: "mean" });
  const ours = (await LeRobotDataset.open(out)).statistics as Record<string, FeatureStatistics>;
  let worst = 0, overflows = 0;
  for (const [feature, theirs] of Object.entries(told.statistics)) {
    const own = ours[feature]!, range = own.max.map((max, d) => max - own.min[d]!);
    for (const name of ["min", "max", "mean", "std", ...quantileNames] as const) {
      const due = flat(theirs[name]);
      own[name].forEach((value, d) => {
        const off = Math.abs(value - due[d]!), least = 1e-6 * Math.abs(value) + 1e-9;
        if (name.startsWith("q")) {
          const steps = Math.max(0, off - least) / (range[d]! / BINS || 1);
          worst = Math.max(worst, steps);
          assert.ok(steps <= 1, `${name} of ${feature}[${d}]: ours ${value}, theirs ${due[d]}`);
        } else if (off > 1e-5 * Math.abs(value) + 1e-6 * range[d]! + 1e-9) {
          const { dtype } = dataset.info.features[feature]!;
          assert.ok(
            name === "std" && told.lerobot.startsWith("0.4") && !dtype.startsWith("float"),
            `${name} of ${feature}`,
          );
          overflows++;
        }
      });
    }
    assert.equal(own.count, flat(theirs.count)[0]);
  }
  const note = overflows > 0 ? `, ${overflows} standard deviations of whole numbers overflow in theirs` : "";
  return `quantiles within ${worst.toFixed(3)} of a histogram step${note}`;
}

/** A data set of ours, larger than one data file, with every kind of feature. */
function writeOurs(folder: string): void {
  const features: Record<string, Feature> = {
    "observation.images.top": { dtype: "image", shape: [48, 64, 3], names: ["height", "width", "channels"] },
    "observation.state": { dtype: "float32", shape: [4], names: ["a", "b", "c", "d"] },
    "action": { dtype: "float32", shape: [7], names: null },
    "next.done": { dtype: "bool", shape: [1], names: null },
    "table": { dtype: "float64", shape: [3, 2], names: null },
    "small": { dtype: "uint8", shape: [2], names: null },
    "large": { dtype: "int64", shape: [1], names: null },
    "words": { dtype: "string", shape: [1], names: null },
  };
  const writer = new LeRobotWriter({
    folder,
    fps: 30,
    features,
    robot: "ours",
    quantiles: "mean",
    dataFileMegabytes: 1,
  });
  const random = stream(7, "interop");
  [60, 1, 130, 47].forEach((length, episode) => {
    const numbers = (shape: number[], f: (t: number) => number): FrameColumn => ({
      kind: "numbers",
      shape,
      values: Float64Array.from(
        { length: length * sizeOf(shape) },
        (_, i) => f(Math.floor(i / sizeOf(shape))),
      ),
    });
    const picture = () =>
      encodePng({
        width: 64,
        height: 48,
        channels: 3,
        data: Uint8Array.from({ length: 9216 }, () => random.uniform(0, 256)),
      });
    writer.add({
      task: Array.from({ length }, (_, t) => `task ${t < 30 ? episode % 2 : 2} ü "x"`),
      frames: {
        "observation.images.top": {
          kind: "images",
          values: Array.from({ length }, (_, t) => ({ bytes: picture(), path: `frame-${t}.png` })),
        },
        "observation.state": numbers([4], () => Math.fround(random.normal())),
        "action": numbers([7], () => Math.fround(random.uniform(-1, 1))),
        "next.done": numbers([1], (t) => Number(t === length - 1)),
        "table": numbers([3, 2], () => random.normal()),
        "small": numbers([2], (t) => (t * 37) % 256),
        "large": numbers([1], (t) => t * 2 ** 40 - 9),
        "words": { kind: "text", values: Array.from({ length }, (_, t) => `${episode}/${t}`) },
      },
    });
  });
  writer.finish();
}

let failed = false;
async function line(what: string, compare: () => Promise<string>): Promise<void> {
  try {
    console.log(`ok    ${what}: ${await compare()}`);
  } catch (error) {
    failed = true;
    console.log(`FAIL  ${what}: ${error instanceof Error ? error.message : error}`);
  }
}

const ours = `${scratch}/ours`;
writeOurs(ours);
for (const [i, python] of Deno.args.entries()) {
  const theirs = `${scratch}/theirs-${i}`, json = `${theirs}.json`;
  ask(python, "write", theirs);
  const dataset = await LeRobotDataset.open(theirs);
  const readable = [...Deno.readDirSync(scratch)].some(({ name }) => `${scratch}/${name}` === json);
  if (!readable) {
    await line(`${python} writes ${dataset.info.version}, we read`, async () => {
      const { findings, frames } = await checkDataset(theirs);
      assert.deepEqual(findings.filter(({ severity }) => severity === "error"), []);
      return `${frames} frames without an error`;
    });
    continue;
  }
  const told: Told = JSON.parse(Deno.readTextFileSync(json)), name = `lerobot ${told.lerobot}`;
  const converted = `${theirs}-converted`;
  await line(`${name} writes, we read`, () => compareFrames(dataset, told));
  await line(`${name}'s statistics, ours`, () => compareStatistics(dataset, told, converted));
  await line(
    `we convert it, ${name} reads`,
    async () =>
      await compareFrames(await LeRobotDataset.open(converted), JSON.parse(ask(python, "read", converted))),
  );
  await line(`we write, ${name} reads`, async () => {
    const read = await LeRobotDataset.open(ours), files = new Set(read.episodes.map(({ file }) => file));
    return `${await compareFrames(read, JSON.parse(ask(python, "read", ours)))}, ${files.size} data files`;
  });
}
if (Deno.args.length === 0) {
  console.log("Give at least one Python interpreter that imports lerobot");
  failed = true;
}
Deno.removeSync(scratch, { recursive: true });
Deno.exit(failed ? 1 : 0);
