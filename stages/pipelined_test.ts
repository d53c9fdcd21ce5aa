/** Acting and evaluating beside the learner, in every stage that learns online but `train_residual`, which has its own. */
import assert from "node:assert/strict";
import { Session } from "../engine/session.ts";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, task, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import * as pretrainPixels from "./pretrain_critic_pixels.ts";
import * as trainDsrl from "./train_dsrl.ts";
import * as trainQc from "./train_qc.ts";
import * as trainQcOnline from "./train_qc_online.ts";
import * as trainResidualPixels from "./train_residual_pixels.ts";
import * as trainSac from "./train_sac.ts";

const base = await tinyBase(), shown = await demonstrations(2);
const net = { batch: 8, width: 16, layers: 2 };
const acting = { task: task.name, first: 7 }, based = { ...acting, tasks, execute: 4 };
const online = {
  ...{ steps: 240, lanes: 2, iterations: 2, selectFrom: 0, pipelined: true },
  ...{ evaluateEvery: 120, evaluationEpisodes: 1 },
};

function sac() {
  const told = { world, ...acting, learner: net, online: { ...online, randomEpisodes: 0 } };
  return (c: Conditions) => attempt(trainSac, { demonstrations: shown }, told, c);
}

function dsrl() {
  const told = { ...based, noise: {}, learner: { ...net, critics: 2 } };
  const parameters = { world, ...told, online: { ...online, start: 20, updatesPerQuery: 1 } };
  return (c: Conditions) => attempt(trainDsrl, { ...base, demonstrations: shown }, parameters, c);
}

async function qc() {
  const learner = { ...net, horizon: 4, steps: 20, flowSteps: 2, candidates: 2, targetCandidates: 2 };
  // Its transitions come when an episode ends, after 160 rounds.
  const chunks = { steps: 400, evaluateEvery: 330, start: 20, updatesPerStep: 0.2 };
  const data = { normalization: base.normalization, episodes: [], demonstrations: [shown] };
  const { output: { weights, scale } } = await attempt(trainQc, data, { tasks, learner });
  const told = { world, ...acting, tasks, learner, online: { ...online, ...chunks } };
  return (c: Conditions) => attempt(trainQcOnline, { ...data, weights, scale }, told, c);
}

async function pixels() {
  const cameras = (["agentview", "eye_in_hand"] as const).map((name) => ({ name, width: 20, height: 20 }));
  const vision = { encoder: { encoder: "small", filters: 3, latent: 6 }, frames: "pictures" } as const;
  const sees = { world: { ...world, cameras }, vision }, learner = { batch: 4, width: 8, layers: 1 };
  const { output } = await attempt(pretrainPixels, { offline: shown, trunk: [] }, {
    ...{ ...sees, task: task.name, lanes: 2, execute: 4, learner },
    calql: { steps: 2, samples: 2, targetSamples: 2 },
  });
  const input = { ...base, offline: shown, critic: output.weights, trunk: [] };
  return (c: Conditions) =>
    attempt(trainResidualPixels, input, {
      ...{ ...sees, ...based },
      learner: { ...learner, warmupEpisodes: 0, xi: 0.1, buffer: 60 },
      online: { ...online, steps: 120, evaluateEvery: 120, iterations: 1, updatesPerStep: 0.25 },
    }, c);
}

for (
  const [name, opened, interruptAt] of [
    ["train_sac", sac, 31],
    ["train_dsrl", dsrl, 31],
    ["train_qc_online", qc, 168],
    ["train_residual_pixels", pixels, 31],
  ] as const
) {
  Deno.test(`${name} pipelined: the same bytes on one worker and two, and resumed beside an evaluation`, async () => {
    const run = await opened();
    const { create } = Session, devices: unknown[] = [];
    Session.create = (program, options) => {
      devices.push(options?.device);
      return create.call(Session, program, options);
    };
    const straight = await run({ workers: 2 }).finally(() => Session.create = create);
    assert.ok(
      devices.length >= 2 && devices.every((device) => device === "cpu"),
      "a GPU is the learner's alone",
    );
    const scratch = await Deno.makeTempDir();
    const part = await run({ interruptAt, scratch });
    const rest = await run({ checkpoint: part.checkpoints[0], scratch });
    assert.deepEqual(digests(rest), digests(straight));
    assert.equal(
      part.budget.environmentSteps + rest.budget.environmentSteps,
      straight.budget.environmentSteps,
    );
    assert.ok(straight.budget.gradientSteps > 0);
    await Deno.remove(scratch, { recursive: true });
  });
}
