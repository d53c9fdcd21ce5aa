/**
 * Success of the scripted expert on LIBERO's training states: `deno run -A bench/libero_expert.ts [--suite
 * libero_spatial] [--states 20] [--from 0] [--task NAME] [--lanes 2] [--no-noise]`. Prints one line a task: rate with n,
 * steps to success (least, median, most), failures. States that LIBERO's sampler left broken (what the goal names was
 * thrown off or tipped over) are counted apart.
 */
import { command, count, flag, text } from "./command.ts";
import type { Observation, Task } from "../envs/environment.ts";
import { LiberoExpert } from "../envs/libero_expert.ts";
import { libero } from "../envs/libero_install.ts";
import { LiberoPool, workerCommand } from "../envs/libero_pool.ts";
import { protocols } from "../envs/libero_protocols.ts";
import { readScene, type Scene } from "../envs/libero_scene.ts";
import { rimOf } from "../envs/libero_shapes.ts";
import { liberoTasks } from "../envs/libero_tasks.ts";
import { UsageError } from "../lab/errors.ts";
import { stream } from "../random.ts";

/** A body on each of its six sides. */
const half = Math.SQRT1_2;
const stands = [[1, 0, 0, 0], [0, 1, 0, 0], [half, half, 0, 0], [half, -half, 0, 0], [half, 0, half, 0], [
  half,
  0,
  -half,
  0,
]]
  .map((q) => Float64Array.from(q));

/** An episode under way in a lane. */
interface Episode {
  readonly index: number;
  readonly expert: LiberoExpert;
  readonly tipped: boolean;
  seen: Observation;
  steps: number;
}

const options = {
  suite: text("libero_spatial"),
  states: count(20),
  from: count(0, 0),
  task: text(""),
  lanes: count(2),
  noise: flag(true),
};

await command(options, async ({ suite, states, from, task: only, lanes, noise }) => {
  const { python, root } = libero();
  const protocol = protocols.ours;
  const tasks = liberoTasks(root, suite, protocol);
  const chosen = [...tasks.values()].filter(({ name }) => name.includes(only));
  if (chosen.length === 0) {
    throw new UsageError(`Cannot use --task ${only}: no task of ${suite} has that in its name`);
  }
  await using pool = await LiberoPool.open({
    suite,
    tasks,
    root,
    command: workerCommand(python),
    protocol,
    cameras: [],
    lanes,
    workers: lanes,
  });

  for (const task of chosen) {
    try {
      await measure(task, readScene(root, task));
    } catch (error) {
      console.log(`${task.name}: ${error instanceof Error ? error.message : error}`);
    }
  }

  async function measure(task: Task, scene: Scene): Promise<void> {
    const lengths: number[] = [], failures: string[] = [];
    let next = from, broken = 0, solvedBroken = 0, steps = 0;
    const running: (Episode | undefined)[] = Array.from({ length: lanes }, () => undefined);
    const start = performance.now();
    const begin = async (lane: number) => {
      running[lane] = undefined;
      if (next >= from + states) return;
      const index = next++;
      const expert = new LiberoExpert(task, scene, stream(0, "expert", task.name, index), { noise });
      const seen = await pool.reset(lane, task.name, { split: "training", index });
      const tipped = scene.goals.some(({ target, place }) =>
        [target, place].some((name) => fell(scene, seen, name))
      );
      running[lane] = { index, expert, tipped, seen, steps: 0 };
    };
    await Promise.all(running.map((_, lane) => begin(lane)));
    while (running.some(Boolean)) {
      const results = await pool.step(
        running.map((run) => run && Float32Array.from(run.expert.act(run.seen))),
      );
      for (const [lane, step] of results.entries()) {
        const run = running[lane];
        if (!run || !step) continue;
        run.seen = step.observation;
        run.steps++;
        steps++;
        if (!step.terminated && !step.truncated) continue;
        if (run.tipped) broken++;
        if (run.tipped && step.terminated) solvedBroken++;
        else if (step.terminated) lengths.push(run.steps);
        else if (!run.tipped) failures.push(`${run.index} (${run.expert.phase})`);
        await begin(lane);
      }
    }
    lengths.sort((a, b) => a - b);
    const quantile = (q: number) => lengths[Math.floor(q * (lengths.length - 1))] ?? NaN;
    const rate = steps / (performance.now() - start) * 1e3;
    console.log(
      `${task.name}: ${lengths.length}/${lengths.length + failures.length}, steps ${quantile(0)} ... ` +
        `${quantile(0.5)} ... ${quantile(1)} of ${task.maxSteps}, ${rate.toFixed(0)} steps/s` +
        (broken ? `, broken starts ${broken} (${solvedBroken} solved)` : "") +
        (failures.length ? `, failed ${failures.join(" ")}` : ""),
    );
  }
});

/**
 * Whether LIBERO's sampler, which lets objects overlap, threw one off: it still moves after the settle steps, lies lower
 * than all others, or is hollow and lies so that nothing can be put into it.
 */
function fell({ shapes }: Scene, { objects }: Observation, name: string): boolean {
  const { position, velocity } = objects[name] ?? {};
  if (!position || !velocity) return false;
  const others = Object.keys(objects).filter((other) => other !== name && shapes.has(other));
  const floor = Math.min(...others.map((other) => objects[other]!.position[2]!));
  if (Math.hypot(velocity[0]!, velocity[1]!, velocity[2]!) > 0.05 || position[2]! < floor - 0.05) return true;
  const boxes = shapes.get(name);
  if (!boxes || rimOf(boxes, objects[name]!)) return false;
  return stands.some((quaternion) => rimOf(boxes, { position: new Float64Array(3), quaternion }));
}
