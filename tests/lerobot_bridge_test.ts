/**
 * The bridge with LeRobot itself, on tiny random policies and without a download. It needs the bridge's environment and some
 * minutes, so it runs when asked for: UPLIFT_LEROBOT=1 deno test -A tests/lerobot_bridge_test.ts
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { decodeTable } from "../data/table.ts";
import { packTar, unpackTar } from "../data/tar.ts";
import type { Artifact } from "../lab/stage.ts";
import { LerobotPolicy } from "../policies/lerobot.ts";
import { wireArray } from "../policies/msgpack_numpy.ts";
import { stream } from "../random.ts";
import * as evaluateLerobot from "../stages/evaluate_lerobot.ts";
import * as lerobotEval from "../stages/lerobot_eval.ts";
import { bridgeVariables, pythonOf } from "../stages/lerobot_install.ts";
import * as sft from "../stages/sft.ts";
import * as trainFlow from "../stages/train_lerobot_flow.ts";
import { artifact, attempt, digests } from "./stage_context.ts";
import { task } from "./tabletop_subjects.ts";

const wanted = Deno.env.get("UPLIFT_LEROBOT") !== undefined;
const PLUGIN = "lerobot_bridge.tiny";
const ROWS = 3, HORIZON = 6, WIDTH = 7, NOISE = 32, STATE = 8;

interface Tiny {
  readonly folder: string;
  readonly dataset: string;
  readonly tokenizer: string;
  readonly pi0: string;
  readonly pi05: string;
  readonly act: string;
}

let made: Promise<Tiny> | undefined;
addEventListener("unload", () => folder !== undefined && Deno.removeSync(folder, { recursive: true }));
let folder: string | undefined;

/** Data set, tokenizer and policies, made once. */
function tiny(): Promise<Tiny> {
  return made ??= (async () => {
    folder = await Deno.makeTempDir({ prefix: "uplift-lerobot-" });
    const text = await python(["-m", "lerobot_bridge.tiny", folder]);
    return { folder, ...JSON.parse(text.trim().split("\n").at(-1)!) };
  })();
}

async function python(args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(pythonOf(), {
    args: ["-W", "ignore", ...args],
    env: bridgeVariables({ plugin: "" }),
  }).output();
  const said = new TextDecoder().decode(stderr);
  assert.ok(success, said.split("\n").slice(-30).join("\n"));
  return new TextDecoder().decode(stdout) + (args.includes("unittest") ? said : "");
}

async function packed(kind: "dataset" | "checkpoint", path: string): Promise<Artifact> {
  const file = join((await tiny()).folder, `${crypto.randomUUID()}.tar`);
  packTar(path, file);
  return artifact(kind, await Deno.readFile(file));
}

/** Unpacks a checkpoint and has LeRobot alone load it, every weight as stored; answers its type. */
async function loadedByLerobot(checkpoint: Artifact, type: string): Promise<string> {
  const at = join((await tiny()).folder, crypto.randomUUID());
  unpackTar(checkpoint.path, at);
  const program = [
    ...type.startsWith("pi") ? ["import lerobot_bridge.tiny"] : [],
    "import sys",
    "from pathlib import Path",
    "from lerobot.policies.factory import get_policy_class",
    `policy = get_policy_class("${type}").from_pretrained(sys.argv[1])`,
    "from lerobot_bridge.policy import assert_loaded",
    "assert_loaded(policy, Path(sys.argv[1]) / 'model.safetensors')",
    "print(policy.config.type)",
  ];
  const said = await python(["-c", program.join("\n"), at]);
  return said.trim().split("\n").at(-1)!;
}

const heavy = (name: string, run: () => Promise<void>) => Deno.test(name, { ignore: !wanted }, run);

for (const name of ["test_condition", "test_training"]) {
  heavy(`Python: ${name}`, async () => {
    const said = await python(["-m", "unittest", "-v", `lerobot_bridge.tests.${name}`]);
    const [ran] = /Ran \d+ tests? in .*/.exec(said)!;
    console.log(ran, said.match(/^test_.*/gm)?.length);
    assert.match(said, /^OK$/m);
  });
}

function batch(rows = ROWS, draws: readonly number[] = []) {
  const random = stream(3, "test");
  const picture = () => {
    const floats = random.fillUniform(new Float32Array(rows * 32 * 32 * 3), 0, 256);
    return wireArray([rows, 32, 32, 3], Uint8Array.from(floats));
  };
  const size = draws.reduce((a, b) => a * b, 1);
  const noise = random.fillNormal(new Float32Array(rows * size * HORIZON * NOISE));
  return {
    observation: {
      "observation.images.image": picture(),
      "observation.images.image2": picture(),
      "observation.state": wireArray([rows, STATE], random.fillNormal(new Float32Array(rows * STATE))),
    },
    tasks: Array.from({ length: rows }, (_, i) => `task ${i}`),
    noise: wireArray([rows, ...draws, HORIZON, NOISE], noise),
  };
}

const command = () => ({ program: pythonOf(), env: bridgeVariables({ plugin: PLUGIN }) });

heavy(
  "a policy draws chunks through pipes: shapes, noise, draws, openpi's words, refusals, a kill",
  async () => {
    const { pi05, dataset } = await tiny();
    const options = { path: pi05, normStats: join(dataset, "meta/stats.json") };
    await using policy = await LerobotPolicy.open(command(), options);
    const { type, horizon, action_width, noise_width, statistics } = policy.description;
    assert.deepEqual([type, horizon, action_width, noise_width, statistics], [
      "pi05",
      HORIZON,
      WIDTH,
      NOISE,
      "equal",
    ]);
    const chunk = await policy.sampleActions(batch());
    assert.deepEqual(chunk.shape, [ROWS, HORIZON, WIDTH]);
    assert.deepEqual(await policy.sampleActions(batch()), chunk);
    const many = await policy.sampleActions(batch(ROWS, [4]));
    assert.deepEqual(many.shape, [ROWS, 4, HORIZON, WIDTH]);

    const { observation, noise } = batch(1);
    const words = {
      "observation/image": wireArray([32, 32, 3], observation["observation.images.image"].data),
      "observation/wrist_image": wireArray([32, 32, 3], observation["observation.images.image2"].data),
      "observation/state": wireArray([STATE], new Float64Array(STATE)),
      prompt: "task 0",
      noise: { ...noise, shape: [HORIZON, NOISE] },
    };
    const { actions } = await policy.infer(words);
    assert.deepEqual((actions as { shape: number[] }).shape, [HORIZON, WIDTH]);
    const { noise: _, ...silent } = words;
    await assert.rejects(() => policy.infer(silent), /without "noise" as an array/);
    await assert.rejects(
      () => policy.sampleActions({ ...batch(), noise: undefined }),
      /Cannot sample without noise: wanted \[3, 6, 32\]/,
    );
    assert.deepEqual(await policy.sampleActions(batch()), chunk); // a refusal is no loss

    await assert.rejects(
      () => LerobotPolicy.open(command(), { ...options, normStats: join(dataset, "meta/info.json") }),
      /they have no feature action/,
    );
    const asked = policy.sampleActions(batch());
    Deno.kill(policy.pid, "SIGKILL");
    await assert.rejects(asked, /^Error: Lost the LeRobot process: killed by SIGKILL/);
    await assert.rejects(() => policy.sampleActions(batch()), /Lost the LeRobot process/);
  },
);

heavy(
  "sft runs optimiser steps of pi0.5 and leaves what LeRobot loads; an interruption changes no byte",
  async () => {
    const { dataset, tokenizer } = await tiny();
    const input = {
      dataset: await packed("dataset", dataset),
      base: [],
      tokenizer: [await packed("checkpoint", tokenizer)],
    };
    const settings = {
      "policy.chunk_size": HORIZON,
      "policy.n_action_steps": HORIZON,
      "policy.image_resolution": [28, 28],
      "policy.tokenizer_max_length": 64,
    };
    const parameters = {
      ...{ policy: "pi05", steps: 4, batch: 4, logEvery: 1, saveEvery: 2, dataWorkers: 0 },
      ...{ settings, lerobot: { plugin: PLUGIN } },
    };
    const scratch = await Deno.makeTempDir();
    try {
      const straight = await attempt(sft, input, parameters, { scratch });
      assert.equal(await loadedByLerobot(straight.output.checkpoint, "pi05"), "pi05");
      const metrics = decodeTable(await Deno.readFile(straight.output.metrics.path));
      assert.deepEqual([...metrics.step as Float64Array], [1, 2, 3, 4]);
      assert.ok([...metrics.loss as Float64Array].every((loss) => loss > 0));
      // As a kill after step 3 would have left it: LeRobot goes on from its checkpoint of step 2.
      const checkpoints = join(scratch, "run", "checkpoints");
      await Deno.remove(join(checkpoints, "000004"), { recursive: true });
      await Deno.remove(join(checkpoints, "last"));
      await Deno.symlink("000002", join(checkpoints, "last"));
      const resumed = await attempt(sft, input, parameters, { scratch });
      assert.deepEqual(digests(resumed), digests(straight));
    } finally {
      await Deno.remove(scratch, { recursive: true });
    }
  },
);

heavy(
  "sft goes on from a stored checkpoint under torchrun, and says LeRobot's own words where it fails",
  async () => {
    const { dataset, act } = await tiny();
    const input = {
      dataset: await packed("dataset", dataset),
      base: [await packed("checkpoint", act)],
      tokenizer: [],
    };
    const parameters = { policy: "act", steps: 2, batch: 4, logEvery: 1, saveEvery: 2, dataWorkers: 0 };
    const trained = await attempt(sft, input, { ...parameters, launch: { with: "torchrun" as const } });
    assert.equal(await loadedByLerobot(trained.output.checkpoint, "act"), "act");
    await assert.rejects(
      () => attempt(sft, { ...input, base: [] }, { ...parameters, policy: "nonsense" }),
      /nonsense/,
    );
  },
);

heavy(
  "20 steps of CFG-Flow on pi0.5 as a stage; the result acts in the tabletop under guidance",
  async () => {
    const { dataset, pi05, tokenizer } = await tiny();
    const input = {
      dataset: await packed("dataset", dataset),
      base: await packed("checkpoint", pi05),
      tokenizer: [await packed("checkpoint", tokenizer)],
      normStats: [],
    };
    const parameters = {
      ...{ steps: 20, batch: 8, saveEvery: 5, lerobot: { plugin: PLUGIN } },
      model: { learningRate: 1e-3 },
      header: { learningRate: 1e-3 },
    };
    const trained = await attempt(trainFlow, input, parameters, { seed: 1 });
    const { loss } = decodeTable(await Deno.readFile(trained.output.metrics.path));
    assert.equal(loss!.length, 20);
    assert.equal(await loadedByLerobot(trained.output.checkpoint, "pi05"), "pi05");
    const cameras = (["agentview", "eye_in_hand"] as const).map((name) => ({ name, width: 16, height: 16 }));
    const lerobot = { world: { name: "tabletop" as const, cameras }, guidance: 2, plugin: PLUGIN };
    const acted = await attempt(evaluateLerobot, {
      checkpoint: trained.output.checkpoint,
      tokenizer: input.tokenizer,
      normStats: [await artifact("document", await Deno.readFile(join(dataset, "meta/stats.json")))],
    }, { lerobot, task: task.name, first: 0, count: 1, noise: 0, execute: HORIZON });
    const said = JSON.parse(await Deno.readTextFile(acted.output.policy.path));
    assert.deepEqual([said.statistics, said.guidance], ["equal", 2]);
  },
);

heavy("lerobot-eval is run and its eval_info.json imported", async () => {
  const { act } = await tiny();
  const evaluated = await attempt(
    lerobotEval,
    { checkpoint: await packed("checkpoint", act), tokenizer: [] },
    {
      ...{ environment: "uplift_tiny", episodes: 2, lerobot: { plugin: "lerobot_bridge.tiny_env" } },
      settings: { "eval.use_async_envs": false },
    },
    { seed: 3 },
  );
  const table = decodeTable(await Deno.readFile(evaluated.output.evaluation.path));
  assert.deepEqual([...table.success as Uint8Array], [1, 1]);
});
