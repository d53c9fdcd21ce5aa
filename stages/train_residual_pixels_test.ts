import assert from "node:assert/strict";
import { decodeMixedSafetensors, decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { decodeTable } from "../data/table.ts";
import { drawTrunk } from "../nn/resnet.ts";
import { stream } from "../random.ts";
import { artifact, attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, episodesOf, task, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import * as collectHybrid from "./collect_hybrid_pixels.ts";
import * as evaluate from "./evaluate_pixels.ts";
import { assertMemory, memoryPlan } from "./pixel_memory.ts";
import { visionOf } from "./pixel_specialist.ts";
import * as pretrainCritic from "./pretrain_critic_pixels.ts";
import { proprioceptionScale } from "./seeing.ts";
import * as trainResidual from "./train_residual_pixels.ts";

const EXECUTE = 8, LANES = 2;
const base = await tinyBase();
const offline = await demonstrations(2);
const trunk = [await artifact("weights", encodeSafetensors(drawTrunk(stream(0, "trunk"))))];
const cameras = (edge: number) =>
  (["agentview", "eye_in_hand"] as const).map((name) => ({ name, width: edge, height: edge }));
const ways = {
  features: {
    world: { ...world, cameras: cameras(16) },
    vision: { encoder: { encoder: "resnet", embeddings: 2, latent: 8 }, frames: "features" },
  },
  pictures: {
    world: { ...world, cameras: cameras(20) },
    vision: { encoder: { encoder: "small", filters: 3, latent: 6 }, frames: "pictures" },
  },
} as const;
const learner = { batch: 4, width: 8, layers: 1, warmupEpisodes: 0, xi: 0.1, buffer: 60 };
const { warmupEpisodes: _, buffer: __, ...pretraining } = learner;
const online = {
  steps: 120,
  lanes: LANES,
  iterations: 1,
  updatesPerStep: 0.25,
  probing: 0.5,
  probingLength: 0.1,
  evaluateEvery: 120,
  evaluationEpisodes: 1,
  selectFrom: 0.3,
};
const pretrain = (way: keyof typeof ways, conditions: Conditions = {}) =>
  attempt(pretrainCritic, { offline, trunk }, {
    ...ways[way],
    task: task.name,
    lanes: LANES,
    execute: EXECUTE,
    learner: pretraining,
    calql: { steps: 4, samples: 2, targetSamples: 2 },
  }, conditions);
const run = async (
  way: keyof typeof ways,
  critic: Awaited<ReturnType<typeof pretrain>>,
  conditions: Conditions = {},
) =>
  await attempt(trainResidual, { ...base, offline, critic: critic.output.weights, trunk }, {
    ...ways[way],
    task: task.name,
    tasks,
    execute: EXECUTE,
    first: 12,
    learner,
    online,
  }, conditions);

const critic = await pretrain("features");
const whole = await run("features", critic);

Deno.test("pretrain_critic_pixels resumes to the same bytes, whatever the lanes of its pool", async () => {
  const part = await pretrain("features", { interruptAt: 1 });
  assert.ok(part.interrupted);
  const rest = await pretrain("features", { checkpoint: part.checkpoints[0], workers: 2 });
  assert.deepEqual(digests(rest), digests(critic));
  assert.equal(decodeTable(await Deno.readFile(rest.output.losses.path)).gradient_steps!.length, 2);
});

Deno.test("train_residual_pixels interrupted anywhere resumes to the bytes of an uninterrupted run", async () => {
  const scratch = await Deno.makeTempDir();
  let checkpoint: Uint8Array | undefined;
  for (const interruptAt of [9, 31, Infinity]) {
    const part = await run("features", critic, {
      interruptAt,
      checkpoint,
      scratch,
      workers: checkpoint ? 1 : 2,
    });
    if (part.interrupted) checkpoint = part.checkpoints[0];
    else assert.deepEqual(digests(part), digests(whole));
  }
  // The checkpoint counts the frames; the frames themselves lie beside it.
  const { tensors } = decodeMixedSafetensors(checkpoint!);
  assert.deepEqual(tensors["replay/frame-count"]!.shape, [2]);
  assert.ok(!("replay/frames" in tensors));
  const { size } = await Deno.stat(`${scratch}/frames`);
  assert.ok(size > 0 && size % (2 * 2 * 512) === 0, "two cameras, 512 halves each");
  await Deno.remove(scratch, { recursive: true });
});

Deno.test("a specialist of features carries its trunk, is evaluated and collects hybrid episodes", async () => {
  const { tensors } = decodeSafetensors(await Deno.readFile(whole.output.weights.path));
  assert.ok("trunk/conv_init/kernel" in tensors && "critic/encoder/1/embedding" in tensors);
  const curve = decodeTable(await Deno.readFile(whole.output.curve.path));
  assert.ok((curve.gradient_steps!.at(-1) as number) > 10);
  const stored = { residuals: [whole.output.weights], scales: [whole.output.scale] };
  const told = { ...ways.features, tasks, lanes: LANES, execute: EXECUTE };
  const { output } = await attempt(evaluate, { ...base, ...stored }, { ...told, states: 2, noises: 1 });
  assert.equal(decodeTable(await Deno.readFile(output.evaluation.path)).success!.length, 2);
  // A base of twenty steps never succeeds, and nor does its specialist; but they act.
  await assert.rejects(
    attempt(collectHybrid, { ...base, residual: whole.output.weights, scale: whole.output.scale }, {
      ...told,
      task: task.name,
      alpha: 0.5,
      episodes: 1,
      attempts: 2,
      first: 70,
    }),
    { message: /^Cannot keep 1 episodes: 0 of the 2 tried were of the wanted kind/ },
  );
});

Deno.test("train_residual_pixels learns from pictures through the small encoder, without a trunk", async () => {
  const pretrained = await pretrain("pictures");
  const { output } = await run("pictures", pretrained);
  const { tensors } = decodeSafetensors(await Deno.readFile(output.weights.path));
  const before = decodeSafetensors(await Deno.readFile(pretrained.output.weights.path)).tensors;
  const name = "critic/encoder/conv/0/kernel";
  assert.notDeepEqual(tensors[name]!.data, before[name]!.data);
  assert.ok(!Object.keys(tensors).some((name) => name.startsWith("trunk/")));
});

Deno.test("what is seen of the robot is normalised by the base's episodes, and holds nothing of the objects", async () => {
  const scale = proprioceptionScale(await episodesOf(offline), EXECUTE);
  assert.equal(scale.center.length, 16);
  assert.ok(Math.abs(scale.center[15]! - 7 / 16) < 0.05, "the place in a chunk of 8 is 7/16 on average");
});

Deno.test("the plan of memory is checked before anything runs, and says what takes how much", () => {
  const v = visionOf({ name: "tabletop", cameras: cameras(128) }, {
    encoder: { encoder: "resnet", embeddings: 8, latent: 256 },
    frames: "features",
  });
  const batch = { frames: [2, 256, 2, 4, 4, 512] };
  const plan = memoryPlan(v, { transitions: 250_000, offline: 0, batch, iterations: 2, steps: 250_000 });
  const replay = plan.memory["replay of 250000 transitions"]!;
  // 32 KiB a frame of two cameras, for every transition and one more of 32; rows of 58 numbers.
  assert.equal(replay, 257_877 * 32_768 + 250_000 * 4 * 58);
  assert.throws(() => assertMemory(plan, 4, "pixels.memory"), {
    message:
      /^Cannot learn from pictures within 4\.0 GiB \(pixels\.memory\): replay of 250000 transitions 7\.92 GiB, /,
  });
  assertMemory(plan, 9, "pixels.memory");
});
