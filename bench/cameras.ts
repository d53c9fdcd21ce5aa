/**
 * Pictures a second of the tabletop's cameras on one core, at several sizes, and control steps a second of one
 * environment with and without them. Medians of rounds; run it on an idle machine.
 *
 *     deno run -A bench/cameras.ts [--task NAME] [--json]
 */
import { command, flag, oneOf } from "./command.ts";
import { machine } from "./machine.ts";
import { median } from "./race.ts";
import { Simulation } from "../envs/mujoco.ts";
import { openTabletop } from "../envs/tabletop.ts";
import { cameraNames, TabletopCameras } from "../envs/tabletop_cameras.ts";
import { mjcf } from "../envs/tabletop_model.ts";
import { initialPositions } from "../envs/tabletop_states.ts";
import { scenes } from "../envs/tabletop_tasks.ts";

const rounds = 7, sizes = [64, 128], steps = 100;
const state = { split: "training", index: 0 } as const;
const names = scenes.map(({ task }) => task.name);

/** How often a second `f` runs, `count` times a round. */
function rate(count: number, f: () => void): number {
  f();
  const seconds = Array.from({ length: rounds }, () => {
    const start = performance.now();
    for (let i = 0; i < count; i++) f();
    return (performance.now() - start) / 1e3;
  });
  return count / median(seconds);
}

const options = { task: oneOf(names, "between_plate_and_ramekin"), json: flag() };

await command(options, async ({ task, json }) => {
  const scene = scenes.find(({ task: { name } }) => name === task)!;
  using simulation = await Simulation.open(mjcf(scene, { drawn: true }));
  simulation.reset();
  simulation.views.qpos.set(initialPositions(scene, state));
  simulation.update();
  const figures: Record<string, number> = {};
  for (const name of cameraNames) {
    for (const size of sizes) {
      const camera = new TabletopCameras(simulation, [{ name, width: size, height: size }]);
      figures[`${name} ${size} x ${size}, pictures/s`] = rate(6400 / size, () => camera.images());
    }
  }
  for (const count of [0, 1, 2]) {
    const cameras = cameraNames.slice(0, count).map((name) => ({ name, width: 64, height: 64 }));
    using environment = await openTabletop(task, { cameras });
    const rest = [0, 0, 0, 0, 0, 0, -1];
    figures[`${count} cameras of 64 x 64, control steps/s`] = steps * rate(1, () => {
      environment.reset(state);
      for (let i = 0; i < steps; i++) environment.step(rest);
    });
  }
  if (json) console.log(JSON.stringify({ machine: await machine(), task, figures }));
  else {for (const [name, value] of Object.entries(figures)) {
      console.log(`${name.padEnd(40)} ${value.toFixed(0)}`);
    }}
});
