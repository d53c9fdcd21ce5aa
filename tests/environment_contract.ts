/** What every environment owes, as tests over any task of any suite. */
import assert from "node:assert/strict";
import {
  evaluationStates,
  type InitialState,
  type Observation,
  type Step,
  type Task,
} from "../envs/environment.ts";
import { stream } from "../random.ts";

/** Objects slower than this after a reset count as at rest: linear (m/s) and angular (rad/s). */
const restSpeed = 0.02, restSpin = 0.5;

/** An environment, in this process or behind a pool. */
export type AnyEnvironment =
  & {
    readonly task: Task;
    readonly observation: Observation;
    reset(state: InitialState): Observation | Promise<Observation>;
    step(action: ArrayLike<number>): Step | Promise<Step>;
  }
  & (Disposable | AsyncDisposable);

/** How an environment's robot is told to do nothing, and how many numbers it feels of itself. */
export interface Body {
  readonly rest: readonly number[];
  readonly proprioception: number;
}

const arm: Body = { rest: [0, 0, 0, 0, 0, 0, -1], proprioception: 8 };

/**
 * Registers the contract's tests for the task that `open` opens; `compared` states of each split are told apart, fewer
 * where a reset is slow.
 */
export function environmentContract(
  name: string,
  open: () => Promise<AnyEnvironment>,
  { compared = { evaluation: evaluationStates, training: 100 }, ignore = false, body = arm } = {},
): void {
  const noOperation = body.rest, size = noOperation.length;
  const rollout = (environment: AnyEnvironment, state: InitialState, steps: number) =>
    randomRollout(environment, state, steps, size);
  const test = (what: string, fn: () => Promise<void>) => Deno.test({ name: `${name}: ${what}`, ignore, fn });

  test("observations have their shapes and are finite", async () => {
    await using environment = await open();
    const { task } = environment;
    assert.ok(task.maxSteps > 0 && task.language.length > 0);
    assert.ok(task.objects.includes(task.roles.target) && task.objects.includes(task.roles.goal));
    for (const observation of await rollout(environment, { split: "training", index: 0 }, 20)) {
      assertSpec(observation, task.objects, body.proprioception);
    }
  });

  test("the same reset and actions give the same bytes, whatever ran before", async () => {
    await using environment = await open();
    const state = { split: "evaluation", index: 3 } as const;
    const first = await rollout(environment, state, 15);
    await rollout(environment, { split: "training", index: 9 }, 15);
    assert.deepEqual(await rollout(environment, state, 15), first);
    await using other = await open();
    assert.deepEqual(await rollout(other, state, 15), first);
  });

  test("everything is at rest after a reset and nothing is solved", async () => {
    await using environment = await open();
    for (let index = 0; index < 10; index++) {
      const { objects } = await environment.reset({ split: "evaluation", index });
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
        assert.ok(!(await environment.step(noOperation)).success, `state ${index} is solved at the start`);
      }
    }
  });

  test("observations share no memory", async () => {
    await using environment = await open();
    const state = { split: "training", index: 1 } as const;
    const observations = await rollout(environment, state, 3);
    const copies = structuredClone(observations);
    const buffers = observations.flatMap(arrays).map((array) => array.buffer);
    assert.equal(new Set(buffers).size, buffers.length);
    await rollout(environment, { split: "training", index: 2 }, 3);
    assert.deepEqual(observations, copies);
  });

  test("training and evaluation states are all different", async () => {
    await using environment = await open();
    const seen = new Set<string>();
    for (const split of ["evaluation", "training"] as const) {
      for (let index = 0; index < compared[split]; index++) {
        const observation = await environment.reset({ split, index });
        seen.add(arrays(observation).map((array) => array.join()).join(";"));
      }
    }
    assert.equal(seen.size, compared.evaluation + compared.training);
  });

  test("the step budget truncates, and an ended episode takes no step", async () => {
    await using environment = await open();
    await environment.reset({ split: "training", index: 0 });
    for (let i = 1; i <= environment.task.maxSteps; i++) {
      const { terminated, truncated } = await environment.step(noOperation);
      assert.deepEqual({ i, terminated, truncated }, {
        i,
        terminated: false,
        truncated: i === environment.task.maxSteps,
      });
    }
    await assert.rejects(async () => await environment.step(noOperation), { message: /reset it first$/ });
  });

  test("wrong states and actions are refused", async () => {
    await using environment = await open();
    const refused = (f: () => unknown, wanted: object) => assert.rejects(async () => await f(), wanted);
    await refused(() => environment.step(noOperation), { message: /reset it first$/ });
    await refused(() => environment.reset({ split: "evaluation", index: evaluationStates }), {
      name: "RangeError",
      message: "Cannot reset to evaluation state 50: the index must be 0 ... 49",
    });
    await environment.reset({ split: "evaluation", index: evaluationStates - 1 });
    await refused(() => environment.step([0, 0, 0]), {
      message: new RegExp(`it must have ${size}$|it takes ${size} finite numbers$`),
    });
    await refused(() => environment.step(noOperation.with(2, NaN)), { message: /NaN/ });
  });
}

/** Observations of random actions that depend on nothing but their number. */
async function randomRollout(
  environment: AnyEnvironment,
  state: InitialState,
  steps: number,
  size: number,
): Promise<Observation[]> {
  const random = stream(0, "environment contract");
  const observations = [await environment.reset(state)];
  for (let i = 0; i < steps; i++) {
    const { observation } = await environment.step(random.fillUniform(new Float32Array(size), -1, 1));
    assert.equal(environment.observation, observation);
    observations.push(observation);
  }
  return observations;
}

function assertSpec(observation: Observation, names: readonly string[], own: number): void {
  const { proprioception, rotation, velocity, gripper, objects } = observation;
  assert.deepEqual([proprioception.length, rotation.length, velocity.length], [own, 9, 6]);
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
