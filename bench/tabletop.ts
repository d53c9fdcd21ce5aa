/**
 * Control steps per second of the tabletop: one environment on one core (controller, success and observations
 * included), the same episode's control loop in C over native MuJoCo, and 8 different episodes in turn and as lanes
 * of a pool on 1 and on 2 workers. Run it on an idle machine.
 *
 *   deno run -A bench/tabletop.ts [--task NAME] [--native PYTHON] [--json]
 *
 * PYTHON is a Python that has the `mujoco` package of the same version; gcc is needed as well.
 */
import { command, flag, oneOf, text } from "./command.ts";
import { machine } from "./machine.ts";
import { median, ratio as ratioOf } from "./race.ts";
import type { InitialState } from "../envs/environment.ts";
import { Pool } from "../envs/pool.ts";
import { openTabletop } from "../envs/tabletop.ts";
import { Expert } from "../envs/tabletop_expert.ts";
import { mjcf } from "../envs/tabletop_model.ts";
import { initialPositions } from "../envs/tabletop_states.ts";
import { scenes } from "../envs/tabletop_tasks.ts";
import { stream } from "../random.ts";

const rounds = 5, secondsPerRound = 2, settleSteps = 5, lanes = 8;

/** What one lane replays: a noisy demonstration of its own initial state, without the step that ends it. */
interface Demonstration {
  readonly state: InitialState;
  readonly actions: readonly Float32Array[];
}

interface Native {
  readonly stepsPerSecond: number;
  readonly target: readonly number[];
  readonly mujoco: string;
}

const options = {
  task: oneOf(scenes.map(({ task }) => task.name), "between_plate_and_ramekin"),
  native: text(),
  json: flag(),
};

await command(options, async ({ task: name, native: python, json }) => {
  using environment = await openTabletop(name);
  const demonstrations = Array.from(
    { length: lanes },
    (_, index) => demonstrate({ split: "training", index }),
  );
  const shortest = Math.min(...demonstrations.map(({ actions }) => actions.length));

  function demonstrate(state: InitialState): Demonstration {
    const actions: Float32Array[] = [];
    let observation = environment.reset(state);
    const expert = new Expert(environment.task, stream(0, "bench", state.index), { noise: true });
    for (;;) {
      const action = Float32Array.from(expert.act(observation));
      const step = environment.step(action);
      if (step.terminated || step.truncated) return { state, actions };
      actions.push(action);
      observation = step.observation;
    }
  }

  /** Steps per second of `episode`, which returns its number of control steps, repeated for a round. */
  async function rate(episode: () => number | Promise<number>): Promise<number> {
    const start = performance.now();
    let steps = 0;
    do steps += await episode(); while (performance.now() - start < secondsPerRound * 1e3);
    return steps / (performance.now() - start) * 1e3;
  }

  function single({ state, actions } = demonstrations[0]!): number {
    environment.reset(state);
    for (const action of actions) environment.step(action);
    return settleSteps + actions.length;
  }

  /** The same steps that {@link pooled} takes, one after the other. */
  function inTurn(): number {
    for (const { state, actions } of demonstrations) single({ state, actions: actions.slice(0, shortest) });
    return lanes * (settleSteps + shortest);
  }

  async function pooled(pool: Pool): Promise<number> {
    await Promise.all(demonstrations.map(({ state }, lane) => pool.reset(lane, name, state)));
    for (let t = 0; t < shortest; t++) await pool.step(demonstrations.map(({ actions }) => actions[t]));
    return lanes * (settleSteps + shortest);
  }

  async function native(python: string, folder: string): Promise<Native> {
    const program = new URL("./peers/tabletop_native.py", import.meta.url).pathname;
    const { success, stdout, stderr } = await new Deno.Command(python, {
      args: [program, `${folder}/model.xml`, `${folder}/episode.bin`, String(secondsPerRound)],
    }).output().catch(() => {
      throw new Error(`Cannot start ${python}: it must be a Python that has the mujoco package`);
    });
    if (!success) {
      const reason = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
      throw new Error(`Cannot run tabletop_native.py with ${python}: ${reason}`);
    }
    return JSON.parse(new TextDecoder().decode(stdout));
  }

  async function exportEpisode(folder: string): Promise<void> {
    const scene = scenes.find(({ task }) => task.name === name)!;
    const settle = Array.from({ length: settleSteps }, () => Float32Array.of(0, 0, 0, 0, 0, 0, -1));
    const { state, actions } = demonstrations[0]!;
    const parts = [initialPositions(scene, state), ...settle, ...actions].map((numbers) =>
      Uint8Array.from(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
    );
    await Deno.writeTextFile(`${folder}/model.xml`, mjcf(scene));
    await Deno.writeFile(`${folder}/episode.bin`, new Uint8Array(await new Blob(parts).arrayBuffer()));
  }

  await using one = await Pool.open({ suite: "tabletop", lanes, workers: 1 });
  await using two = await Pool.open({ suite: "tabletop", lanes, workers: 2 });
  const folder = await Deno.makeTempDir();
  await using rest = new AsyncDisposableStack();
  rest.defer(() => Deno.remove(folder, { recursive: true }));
  await exportEpisode(folder);

  // The machine's speed drifts: every round measures everything, ratios are taken within a round.
  const contestants: Record<string, () => Promise<number>> = {
    single: () => rate(() => single()),
    inTurn: () => rate(inTurn),
    pool1: () => rate(() => pooled(one)),
    pool2: () => rate(() => pooled(two)),
  };
  let peer: Native | undefined;
  if (python) {
    contestants.native = async () => {
      peer = await native(python, folder);
      return peer.stepsPerSecond;
    };
  }
  const measured: Record<string, number[]> = {};
  for (let round = -1; round < rounds; round++) { // the first warms up the WASM compiler
    for (const [name, measure] of Object.entries(contestants)) {
      const value = await measure();
      if (round >= 0) (measured[name] ??= []).push(value);
    }
  }
  function ratio(a: string, b: string): number {
    return ratioOf(measured[a]!, measured[b]!);
  }

  single();
  const target = [...environment.observation.objects[environment.task.objects[0]!]!.position];
  const result = {
    task: name,
    rounds,
    stepsPerSecond: Object.fromEntries(
      Object.entries(measured).map(([name, values]) => [name, median(values)]),
    ),
    messaging: 1 - ratio("pool1", "inTurn"),
    poolFactor: ratio("pool2", "pool1"),
    ...(peer && {
      overNative: ratio("single", "native"),
      native: {
        mujoco: peer.mujoco,
        loop: "C",
        targetDistance: Math.hypot(...peer.target.map((x, i) => x - target[i]!)),
      },
    }),
  };
  console.log(json ? JSON.stringify({ machine: await machine(), ...result }) : result);
});
