import assert from "node:assert/strict";
import type { ObjectState, Observation, Task } from "../envs/environment.ts";
import { assertClose } from "../tests/fixtures/numerics.ts";
import { features, residualState } from "./features.ts";

const task: Task = {
  suite: "tabletop",
  name: "b",
  language: "",
  maxSteps: 160,
  roles: { target: "bowl", goal: "plate" },
  objects: ["bowl", "plate"],
};
const object = (position: number[], quaternion: number[], linear: number[]): ObjectState => ({
  position: Float64Array.from(position),
  quaternion: Float64Array.from(quaternion),
  velocity: Float64Array.from([...linear, 9, 9, 9]),
});
const half = Math.SQRT1_2;

/** The hand at (1, 2, 3), turned by `angle` about the world's z axis from pointing straight down. */
function observation(angle: number): Observation {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return {
    proprioception: Float64Array.of(1, 2, 3, 7, 7, 7, 0.04, -0.04),
    rotation: Float64Array.of(c, s, 0, s, -c, 0, 0, 0, -1),
    velocity: Float64Array.of(1, 2, 3, 4, 5, 6),
    gripper: -0.5,
    objects: {
      // Turned by a right angle about x: its z axis points along -y.
      bowl: object([2, 4, 6], [half, half, 0, 0], [0.1, 0.2, 0.3]),
      plate: object([0, 1, 0], [1, 0, 0, 0], [0, 0, 0]),
    },
  };
}

const base = [1, 2, 3, 0, 0, 0.3, 0.04, -0.04, 1, 2, 3, 0, -1, 0, -2, -3, -6, -1, -1, -3];

Deno.test("features() lists hand, rotation from down, fingers, target, its up axis, and goal", () => {
  assertClose(features(observation(0.3), task), base, 1e-6, "features");
});

Deno.test("features() of a hand that points straight down are smooth around it", () => {
  assert.deepEqual([...features(observation(0), task)].slice(3, 6).map(Math.abs), [0, 0, 0]);
  for (const angle of [-1e-12, -1e-3, 1e-12, 1e-3, 2]) {
    assertClose([...features(observation(angle), task)].slice(3, 6), [0, 0, angle], 1e-5, String(angle));
  }
});

Deno.test("features() of several tasks end with a one-hot of the task", () => {
  assert.deepEqual([...features(observation(0), task, ["a", "b", "c"])].slice(20), [0, 1, 0]);
  assert.equal(features(observation(0), task, ["b"]).length, 20);
  assert.throws(() => features(observation(0), task, ["a", "c"]), {
    name: "RangeError",
    message: 'Cannot mark task "b" among a, c: it must be one of them',
  });
});

Deno.test("residualState() appends velocities, gripper and the position in the chunk", () => {
  const state = residualState(observation(0.3), task, 0.25);
  assertClose(state, [...base, 1, 2, 3, 4, 5, 6, 0.1, 0.2, 0.3, -0.5, 0.25], 1e-6, "state");
  assert.equal(residualState(observation(0.3), task, 0, ["a", "b"]).length, 33);
});

Deno.test("features() names an object that is not there", () => {
  const other = { ...task, roles: { target: "cup", goal: "plate" } };
  assert.throws(() => features(observation(0), other), {
    name: "RangeError",
    message: 'Cannot read object "cup": the observation must hold it, and has bowl, plate',
  });
});
