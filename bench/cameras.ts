/**
 * Pictures a second of the tabletop's cameras on one core, at several sizes, and control steps a second of one
 * environment with and without them. Medians of rounds; run it on an idle machine.
 *
 *     deno run -A bench/cameras.ts [--task NAME] [--json]
 */
import { parseArgs } from "node:util";
import { median } from "./race.ts";
import { Simulation } from "../envs/mujoco.ts";
import { openTabletop } from "../envs/tabletop.ts";
import { cameraNames, TabletopCameras } from "../envs/tabletop_cameras.ts";
import { mjcf } from "../envs/tabletop_model.ts";
import { initialPositions } from "../envs/tabletop_states.ts";
import { scenes } from "../envs/tabletop_tasks.ts";

const { values: options } = parseArgs({
  options: {
    task: { type: "string", default: "between_plate_and_ramekin" },
    json: { type: "boolean", default: false },
  },
});
const rounds = 7, sizes = [64, 128], steps = 100;
const state = { split: "training", index: 0 } as const;
const scene = scenes.find(({ task }) => task.name === options.task);
if (!scene) throw new RangeError(`Cannot bench task "${options.task}": it must be one of the tabletop's`);

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
  using environment = await openTabletop(scene.task.name, { cameras });
  const rest = [0, 0, 0, 0, 0, 0, -1];
  figures[`${count} cameras of 64 x 64, control steps/s`] = steps * rate(1, () => {
    environment.reset(state);
    for (let i = 0; i < steps; i++) environment.step(rest);
  });
}
if (options.json) console.log(JSON.stringify(figures));
else {for (const [name, value] of Object.entries(figures)) {
    console.log(`${name.padEnd(40)} ${value.toFixed(0)}`);
  }}
