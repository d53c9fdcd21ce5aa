import assert from "node:assert/strict";
import { stream } from "../random.ts";
import type { Environment, InitialState, Observation } from "./environment.ts";
import { openTabletop, tasks } from "./tabletop.ts";
import { Expert } from "./tabletop_expert.ts";

Deno.test("openTabletop() of an unknown task names the known ones", async () => {
  await assert.rejects(openTabletop("on_moon"), {
    message: /"on_moon": it must be one of between_plate_and_ramekin, /,
  });
});

Deno.test("the ten tasks have their own names and instructions", () => {
  const all = Object.values(tasks);
  assert.equal(all.length, 10);
  assert.equal(new Set(all.map((task) => task.language)).size, 10);
});

Deno.test("the bowl between the plate and the ramekin starts in its range", async () => {
  using environment = await openTabletop("between_plate_and_ramekin");
  for (let index = 0; index < 50; index++) {
    const { bowl_1, plate } = environment.reset({ split: "evaluation", index }).objects;
    const [bx, by] = bowl_1!.position, [px, py] = plate!.position;
    assert.ok(Math.abs(bx!) <= 0.081 && Math.abs(by! + 0.1) <= 0.081, `bowl at ${bowl_1!.position}`);
    assert.ok(Math.abs(px!) <= 0.051 && Math.abs(py! - 0.2) <= 0.051, `plate at ${plate!.position}`);
  }
});

Deno.test("episodes of several open tasks do not disturb each other", async () => {
  const names = ["between_plate_and_ramekin", "in_top_drawer", "next_to_plate"];
  const state = { split: "training", index: 5 } as const;
  const alone: Observation[] = [];
  for (const name of names) {
    using environment = await openTabletop(name);
    alone.push(play(environment, state, 30));
  }
  const environments = await Promise.all(names.map((name) => openTabletop(name)));
  const experts = environments.map((e) =>
    new Expert(e.task, stream(0, "expert", e.task.name), { noise: true })
  );
  for (const environment of environments) environment.reset(state);
  for (let i = 0; i < 30; i++) environments.forEach((e, j) => e.step(experts[j]!.act(e.observation)));
  assert.deepEqual(environments.map((e) => e.observation), alone);
  for (const environment of environments) environment[Symbol.dispose]();
});

for (const name of Object.keys(tasks)) {
  Deno.test(`the expert solves ${name}, and success means placed and released`, async () => {
    using environment = await openTabletop(name);
    for (let index = 1000; index < 1003; index++) {
      const { objects, gripper } = play(environment, { split: "training", index }, environment.task.maxSteps);
      const bowl = objects.bowl_1!.position, plate = objects.plate!.position;
      assert.ok(
        Math.hypot(bowl[0]! - plate[0]!, bowl[1]! - plate[1]!) < 0.03,
        `state ${index}: ${bowl} is not on ${plate}`,
      );
      assert.ok(bowl[2]! > plate[2]! && gripper < 1, `state ${index}: the bowl is still held`);
    }
  });
}

/** The last observation of an episode of the expert, cut after `steps`. */
function play(environment: Environment, state: InitialState, steps: number): Observation {
  let observation = environment.reset(state);
  const expert = new Expert(environment.task, stream(0, "expert", environment.task.name), { noise: true });
  for (let i = 0; i < steps; i++) {
    const step = environment.step(expert.act(observation));
    observation = step.observation;
    if (step.terminated) return observation;
    assert.ok(!step.truncated, `state ${state.index} is not solved in ${steps} steps`);
  }
  return observation;
}
