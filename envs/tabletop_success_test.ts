import assert from "node:assert/strict";
import { Simulation } from "./mujoco.ts";
import { mjcf } from "./tabletop_model.ts";
import { firstObject, initialPositions } from "./tabletop_states.ts";
import { placed } from "./tabletop_success.ts";
import { scenes } from "./tabletop_tasks.ts";

const scene = scenes[0]!;
const bowl = firstObject, plate = firstObject + 7;

/** Whether the bowl counts as placed when it stands on the plate but for what `change` does to it. */
async function placedAfter(change: (simulation: Simulation) => void): Promise<boolean> {
  using simulation = await Simulation.open(mjcf(scene));
  const { qpos } = simulation.views;
  qpos.set(initialPositions(scene, { split: "training", index: 0 }));
  qpos.set([qpos[plate]!, qpos[plate + 1]!, 0.0119, 1, 0, 0, 0], bowl);
  change(simulation);
  simulation.update();
  return placed(simulation, {
    target: { qpos: bowl, qvel: firstObject, body: simulation.body("bowl_1") },
    goal: { qpos: plate, body: simulation.body("plate") },
    hand: new Set([simulation.body("ramekin_1")]), // stands in for the hand: easier to put somewhere
  });
}

for (
  const [what, wanted, change] of [
    ["in the middle of the plate", true, () => {}],
    ["29 mm off the middle", true, ({ views }) => views.qpos[bowl]! += 0.029],
    ["31 mm off the middle", false, ({ views }) => views.qpos[bowl]! += 0.031],
    ["1 mm above the plate", false, ({ views }) => views.qpos[bowl + 2]! += 0.001],
    ["inside the plate's rim but too high", false, ({ views }) => views.qpos[bowl + 2]! += 0.013],
    [
      "tilted by 20 degrees",
      false,
      ({ views }) => views.qpos.set([Math.cos(0.175), Math.sin(0.175), 0, 0], bowl + 3),
    ],
    ["sliding at 0.11 m/s", false, ({ views }) => views.qvel[firstObject] = 0.11],
    ["touched by the hand", false, ({ views }) => {
      views.qpos.set([views.qpos[plate]! + 0.08, views.qpos[plate + 1]!, 0.034], plate + 7);
    }],
  ] as const satisfies readonly (readonly [string, boolean, (simulation: Simulation) => void])[]
) {
  Deno.test(`a bowl ${what} is ${wanted ? "" : "not "}placed`, async () => {
    assert.equal(await placedAfter(change), wanted);
  });
}

Deno.test("a bowl that fell asleep on the plate stays placed", async () => {
  const asleep = (simulation: Simulation) => {
    simulation.update();
    for (let i = 0; i < 200; i++) simulation.advance(); // the arm falls meanwhile, out of the way
    assert.equal(simulation.views.awake[simulation.body("bowl_1")], 0);
  };
  assert.ok(await placedAfter(asleep));
});
