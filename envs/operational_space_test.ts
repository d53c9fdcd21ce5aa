import assert from "node:assert/strict";
import type { Environment } from "./environment.ts";
import { openTabletop } from "./tabletop.ts";

async function opened(): Promise<Environment> {
  const environment = await openTabletop("on_stove");
  environment.reset({ split: "training", index: 0 });
  return environment;
}

function repeat(environment: Environment, action: readonly number[], times: number): Float64Array {
  for (let i = 0; i < times; i++) environment.step(action);
  return environment.observation.proprioception;
}

Deno.test("the hand stays where it is without a command", async () => {
  using environment = await opened();
  const start = environment.observation.proprioception;
  const end = repeat(environment, [0, 0, 0, 0, 0, 0, -1], 40);
  for (let i = 0; i < 3; i++) assert.ok(Math.abs(end[i]! - start[i]!) < 2e-3, `axis ${i}: ${start} → ${end}`);
});

for (const axis of [0, 1, 2]) {
  Deno.test(`a full stick along axis ${axis} moves the hand by 9 to 14 mm a control step, and little along the others`, async () => {
    using environment = await opened();
    const action = [0, 0, 0, 0, 0, 0, -1];
    action[axis] = 1;
    const start = repeat(environment, action, 5);
    const end = repeat(environment, action, 10);
    for (let i = 0; i < 3; i++) {
      const step = (end[i]! - start[i]!) / 10;
      if (i === axis) assert.ok(step > 0.009 && step < 0.014, `${step} m a step`);
      else assert.ok(Math.abs(step) < 2e-3, `${step} m a step along axis ${i}`);
    }
  });
}

Deno.test("a rotation stick turns the hand about the world's axis", async () => {
  using environment = await opened();
  repeat(environment, [0, 0, 0, 0, 0, 1, -1], 10);
  const { rotation, velocity } = environment.observation;
  assert.ok(velocity[5]! > 1 && Math.abs(velocity[3]!) < 0.1 && Math.abs(velocity[4]!) < 0.1, `${velocity}`);
  assert.ok(rotation[8]! < -0.99, `the hand no longer points down: ${rotation}`);
});

Deno.test("the gripper closes in 8 control steps and opens again", async () => {
  using environment = await opened();
  for (const [sign, opening] of [[1, 0], [-1, 0.04]] as const) {
    const fingers = repeat(environment, [0, 0, 0, 0, 0, 0, sign], 16).subarray(6);
    assert.equal(environment.observation.gripper, sign);
    for (const finger of fingers) assert.ok(Math.abs(finger - opening) < 2e-3, `${finger} m`);
  }
});
