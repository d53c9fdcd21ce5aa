/** What every environment owes, as tests over any task of any suite. */
import assert from "node:assert/strict";
import {
  type Environment,
  evaluationStates,
  type InitialState,
  type Observation,
} from "../envs/environment.ts";
import { stream } from "../random.ts";

/** Objects slower than this after a reset count as at rest: linear (m/s) and angular (rad/s). */
const restSpeed = 0.02, restSpin = 0.5;
/** Training states that are compared with the evaluation states. */
const comparedStates = 100;

/** Registers the contract's tests for the task that `open` opens. */
export function environmentContract(name: string, open: () => Promise<Environment>): void {
  Deno.test(`${name}: observations have their shapes and are finite`, async () => {
    using environment = await open();
    const { task } = environment;
    assert.ok(task.maxSteps > 0 && task.language.length > 0);
    assert.ok(task.objects.includes(task.roles.target) && task.objects.includes(task.roles.goal));
    for (const observation of rollout(environment, { split: "training", index: 0 }, 20)) {
      assertSpec(observation, task.objects);
    }
  });

  Deno.test(`${name}: the same reset and actions give the same bytes, whatever ran before`, async () => {
    using environment = await open();
    const state = { split: "evaluation", index: 3 } as const;
    const first = rollout(environment, state, 15);
    rollout(environment, { split: "training", index: 9 }, 15);
    assert.deepEqual(rollout(environment, state, 15), first);
    using other = await open();
    assert.deepEqual(rollout(other, state, 15), first);
  });

  Deno.test(`${name}: everything is at rest after a reset and nothing is solved`, async () => {
    using environment = await open();
    for (let index = 0; index < 10; index++) {
      const { objects } = environment.reset({ split: "evaluation", index });
      for (const [object, { velocity }] of Object.entries(objects)) {
        assert.ok(
          Math.hypot(...velocity.subarray(0, 3)) < restSpeed,
          `${object} moves in state ${index}: ${velocity}`,
        );
        assert.ok(
          Math.hypot(...velocity.subarray(3)) < restSpin,
          `${object} turns in state ${index}: ${velocity}`,
        );
      }
      for (let i = 0; i < 4; i++) {
        assert.ok(!environment.step(noOperation).success, `state ${index} is solved at the start`);
      }
    }
  });

  Deno.test(`${name}: observations share no memory`, async () => {
    using environment = await open();
    const state = { split: "training", index: 1 } as const;
    const observations = rollout(environment, state, 3);
    const copies = structuredClone(observations);
    const buffers = observations.flatMap(arrays).map((array) => array.buffer);
    assert.equal(new Set(buffers).size, buffers.length);
    rollout(environment, { split: "training", index: 2 }, 3);
    assert.deepEqual(observations, copies);
  });

  Deno.test(`${name}: training and evaluation states are all different`, async () => {
    using environment = await open();
    const seen = new Set<string>();
    for (const [split, states] of [["evaluation", evaluationStates], ["training", comparedStates]] as const) {
      for (let index = 0; index < states; index++) {
        seen.add(arrays(environment.reset({ split, index })).map((array) => array.join()).join(";"));
      }
    }
    assert.equal(seen.size, evaluationStates + comparedStates);
  });

  Deno.test(`${name}: the step budget truncates, and an ended episode takes no step`, async () => {
    using environment = await open();
    environment.reset({ split: "training", index: 0 });
    for (let i = 1; i <= environment.task.maxSteps; i++) {
      const { terminated, truncated } = environment.step(noOperation);
      assert.deepEqual({ i, terminated, truncated }, {
        i,
        terminated: false,
        truncated: i === environment.task.maxSteps,
      });
    }
    assert.throws(() => environment.step(noOperation), { message: /the episode has ended, reset it first$/ });
  });

  Deno.test(`${name}: wrong states and actions are refused`, async () => {
    using environment = await open();
    assert.throws(() => environment.step(noOperation), { message: /reset it first$/ });
    assert.throws(() => environment.reset({ split: "evaluation", index: evaluationStates }), {
      name: "RangeError",
      message: "Cannot reset to evaluation state 50: the index must be 0 ... 49",
    });
    environment.reset({ split: "evaluation", index: evaluationStates - 1 });
    assert.throws(() => environment.step([0, 0, 0]), { message: /an action of 3 numbers: it must have 7$/ });
    assert.throws(() => environment.step([0, 0, NaN, 0, 0, 0, 0]), {
      message: /NaN as number 2 of an action/,
    });
  });
}

const noOperation = [0, 0, 0, 0, 0, 0, -1];

/** Observations of random actions that depend on nothing but their number. */
function rollout(environment: Environment, state: InitialState, steps: number): Observation[] {
  const random = stream(0, "environment contract");
  const observations = [environment.reset(state)];
  for (let i = 0; i < steps; i++) {
    const { observation } = environment.step(random.fillUniform(new Float32Array(7), -1, 1));
    assert.equal(environment.observation, observation);
    observations.push(observation);
  }
  return observations;
}

function assertSpec(observation: Observation, names: readonly string[]): void {
  const { proprioception, rotation, velocity, gripper, objects } = observation;
  assert.deepEqual([proprioception.length, rotation.length, velocity.length], [8, 9, 6]);
  assert.ok(gripper >= -1 && gripper <= 1);
  assert.deepEqual(Object.keys(objects), [...names]);
  for (const object of Object.values(objects)) {
    assert.deepEqual([object.position.length, object.quaternion.length, object.velocity.length], [3, 4, 6]);
    assert.ok(Math.abs(Math.hypot(...object.quaternion) - 1) < 1e-9);
  }
  for (const array of arrays(observation)) assert.ok(array.every(Number.isFinite), `${array} is not finite`);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      const dot = [0, 1, 2].reduce((sum, k) => sum + rotation[3 * i + k]! * rotation[3 * j + k]!, 0);
      assert.ok(Math.abs(dot - Number(i === j)) < 1e-9, "the rotation is not orthonormal");
    }
  }
}

function arrays({ proprioception, rotation, velocity, objects }: Observation): Float64Array[] {
  const poses = Object.values(objects).flatMap((o) => [o.position, o.quaternion, o.velocity]);
  return [proprioception, rotation, velocity, ...poses];
}
