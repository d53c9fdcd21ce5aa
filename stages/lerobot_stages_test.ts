import assert from "node:assert/strict";
import { checkDataset } from "../data/lerobot_check.ts";
import { LeRobotDataset } from "../data/lerobot_read.ts";
import { decodeEpisodes, encodeEpisodes } from "../data/episodes_arrow.ts";
import { packTar, unpackTar } from "../data/tar.ts";
import { decodePng } from "../data/png.ts";
import { scenes } from "../envs/tabletop_tasks.ts";
import { artifact, attempt, digests } from "../tests/stage_context.ts";
import * as demonstrate from "./demonstrate.ts";
import * as readLerobot from "./read_lerobot.ts";
import * as writeLerobot from "./write_lerobot.ts";

const scratch = Deno.makeTempDirSync({ prefix: "uplift-lerobot-stages-" });
addEventListener("unload", () => Deno.removeSync(scratch, { recursive: true }));

const task = scenes[0]!.task, world = { name: "tabletop" } as const;
const cameras = [{ name: "agentview", width: 24, height: 16 } as const];

const shown = await attempt(demonstrate, {}, { world, task: task.name, episodes: 2, first: 0, lanes: 2 });
/** As hybrid data: successes with T_base. */
const hybrid = decodeEpisodes(Deno.readFileSync(shown.output.episodes.path)).map((episode, i) => ({
  ...episode,
  tags: { ...episode.tags, baseSteps: [7, 10_000][i]! },
}));
const policy = await artifact("weights", Uint8Array.of(1, 2, 3));
const inputs = {
  hybrid: [await artifact("episodes", encodeEpisodes(hybrid))],
  demonstrations: [],
  advantages: [],
  policy: [policy],
  residuals: [policy],
  checkpoint: [],
};
const written = await attempt(writeLerobot, inputs, {
  world: { ...world, cameras },
  lanes: 2,
  made: { alpha: 0.6 },
});

Deno.test("hybrid data become a data set without a finding, with pictures, T_base and provenance", async () => {
  const folder = `${scratch}/unpacked`;
  unpackTar(written.output.dataset.path, folder);
  const { findings, episodes, frames } = await checkDataset(folder);
  assert.deepEqual([findings, episodes, frames], [[], 2, hybrid[0]!.length + hybrid[1]!.length]);
  const dataset = await LeRobotDataset.open(folder);
  assert.deepEqual(dataset.tasks, [task.language]);
  const read = await dataset.frames(dataset.episodes[0]!);
  const numbers = (name: string) => {
    const column = read[name]!;
    assert.ok(column.kind === "numbers");
    return [...column.values];
  };
  const { length } = hybrid[0]!;
  assert.deepEqual(numbers("base_steps"), Array(length).fill(7));
  assert.deepEqual(numbers("next.success"), [...Array(length - 1).fill(0), 1]);
  assert.deepEqual(numbers("action"), [...hybrid[0]!.columns.action!.data]);
  const images = read["observation.images.agentview"]!;
  assert.ok(images.kind === "images");
  const first = decodePng(images.values[0]!.bytes, "first"),
    last = decodePng(images.values.at(-1)!.bytes, "last");
  assert.deepEqual([first.width, first.height], [24, 16]);
  assert.notDeepEqual(first.data, last.data);
  const provenance = JSON.parse(Deno.readTextFileSync(`${folder}/meta/provenance.json`));
  assert.deepEqual(provenance.made, { alpha: 0.6 });
  assert.deepEqual(provenance.inputs.residuals, [policy.digest]);
  assert.deepEqual(provenance.world.cameras, cameras);
});

Deno.test("the data set's bytes depend neither on workers nor on lanes", async () => {
  const parameters = { world: { ...world, cameras }, lanes: 1, made: { alpha: 0.6 } };
  assert.deepEqual(
    digests(await attempt(writeLerobot, inputs, parameters, { workers: 2 })),
    digests(written),
  );
});

Deno.test("read as demonstrations, the episodes come back column by column", async () => {
  const parameters = { world, task: task.name, episodes: 2 };
  const read = await attempt(readLerobot, { dataset: written.output.dataset }, parameters);
  const back = decodeEpisodes(Deno.readFileSync(read.output.episodes.path));
  const { target, goal } = task.roles;
  back.forEach((episode, i) => {
    const { index, success, split, length, columns, tags } = episode, due = hybrid[i]!;
    assert.deepEqual([index, success, split, length], [due.index, true, "training", due.length]);
    assert.equal(tags.baseSteps, Math.min(due.length, due.tags.baseSteps));
    assert.deepEqual(
      Object.keys(columns).sort(),
      [
        ...[
          "action",
          "gripper",
          `object/${target}`,
          `object/${goal}`,
          "proprioception",
          "rotation",
          "velocity",
        ],
      ].sort(),
    );
    for (const [name, column] of Object.entries(columns)) {
      assert.deepEqual(
        [column.shape, column.data],
        [due.columns[name]!.shape, due.columns[name]!.data],
        name,
      );
    }
  });
});

Deno.test("what cannot be demonstrations is refused with the data set's digest", async () => {
  const read = (dataset: typeof written.output.dataset, more = {}) =>
    attempt(readLerobot, { dataset }, { world, task: task.name, episodes: 1, ...more });
  const other = scenes[1]!.task.name, { digest } = written.output.dataset;
  await assert.rejects(
    read(written.output.dataset, { task: other }),
    (error: Error) =>
      error.message.startsWith(
        `Cannot take 1 demonstrations of "${other}" from data set ${digest}: it has 0 successes of `,
      ),
  );
  const theirs = `${scratch}/theirs.tar`;
  packTar(new URL("../tests/fixtures/lerobot/v30", import.meta.url).pathname, theirs);
  const foreign = await artifact("dataset", Deno.readFileSync(theirs));
  await assert.rejects(read(foreign), {
    message: `Cannot take demonstrations from data set ${foreign.digest}: it has no privileged.rotation, ` +
      "privileged.velocity, privileged.gripper, privileged.target, privileged.goal, which the policies of this " +
      "repository see; policies that see pictures train in the LeRobot bridge",
  });
  const cut = await artifact("dataset", Deno.readFileSync(theirs).slice(0, 5000));
  await assert.rejects(read(cut), /^Error: Cannot unpack .*: it is cut off$/);
});

Deno.test("a record that its world does not bring back is refused, and so are evaluation states", async () => {
  const write = async (
    change: (data: Float32Array) => void,
    split = "training" as "training" | "evaluation",
  ) => {
    const [first] = hybrid, data = first!.columns.action!.data.slice();
    change(data);
    const columns = { ...first!.columns, action: { ...first!.columns.action!, data } };
    const episodes = [
      await artifact("episodes", encodeEpisodes([{ ...first!, split, index: first!.index, columns }])),
    ];
    return attempt(writeLerobot, { ...inputs, hybrid: episodes }, { world: { ...world, cameras }, lanes: 1 });
  };
  await assert.rejects(
    write((data) => data[3 * 7] = -data[3 * 7]!),
    /^Error: Cannot render an episode of ".*" from state 0: its replay differs from the record at step 4, the world must/,
  );
  await assert.rejects(
    write(() => {}, "evaluation"),
    /^Error: Cannot write an episode of ".*" from evaluation state 0: those must never train$/,
  );
});
