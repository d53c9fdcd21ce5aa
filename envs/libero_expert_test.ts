import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { stream } from "../random.ts";
import type { Observation, Task } from "./environment.ts";
import { LiberoExpert } from "./libero_expert.ts";
import { planGrasp } from "./libero_grasp.ts";
import { rotationTo, straightDown } from "./libero_hand.ts";
import { libero } from "./libero_install.ts";
import { LiberoPool, workerCommand } from "./libero_pool.ts";
import { protocols } from "./libero_protocols.ts";
import { type Goal, readScene, type Scene } from "./libero_scene.ts";
import { type Box, extent, inWorld, type Pose, readBoxes, rimOf } from "./libero_shapes.ts";
import { liberoTasks } from "./libero_tasks.ts";

const none = Float64Array.of(1, 0, 0, 0);
const box = (center: number[], half: number[], quaternion = none): Box => ({
  center: Float64Array.from(center),
  half: Float64Array.from(half),
  quaternion,
});
const at = (position: number[], quaternion = none): Pose => ({
  position: Float64Array.from(position),
  quaternion,
});

/** A cup of 16 walls, 5 cm around and 6 cm high, on a floor of 4 mm. */
const cup: Box[] = [
  box([0, 0, 0.002], [0.035, 0.035, 0.002]),
  ...Array.from({ length: 16 }, (_, i) => {
    const angle = i * Math.PI / 8;
    const turned = Float64Array.of(Math.cos(angle / 2), 0, 0, Math.sin(angle / 2));
    return box([0.05 * Math.cos(angle), 0.05 * Math.sin(angle), 0.03], [0.002, 0.011, 0.03], turned);
  }),
];
const carton = [box([0, 0, 0], [0.02, 0.045, 0.05])];
const habits = { side: 3 * Math.PI / 4, deeper: 0, tried: [] };

Deno.test("readBoxes() reads what collides, in any of MJCF's round forms, and no pictures", () => {
  const boxes = readBoxes(`<mujoco><!-- <geom type="box" size="9 9 9"/> --><worldbody><body name="object">
    <geom type="mesh" mesh="m" contype="0" conaffinity="0" group="1"/>
    <geom type="box" size="1 2 3" pos="4 5 6" quat="2 0 0 0" group="0"/>
    <geom type="cylinder" size="0.1 0.2" group="0"/><geom size="0.3"/></body></worldbody></mujoco>`);
  assert.deepEqual(boxes.map(({ half }) => [...half]), [[1, 2, 3], [0.1, 0.1, 0.2], [0.3, 0.3, 0.3]]);
  assert.deepEqual([...boxes[0]!.center, ...boxes[0]!.quaternion], [4, 5, 6, 1, 0, 0, 0]);
});

Deno.test("rimOf() finds the rim of what is open above, wherever its axis lies in the body", () => {
  const rim = rimOf(cup, at([1, 2, 3]))!;
  assert.ok(Math.abs(rim.radius - 0.0512) < 0.001, `${rim.radius}`);
  assert.ok(Math.abs(rim.depth - 0.056) < 0.003, `${rim.depth}`);
  assert.deepEqual([...rim.up], [0, 0, 1]);
  const down = Float64Array.of(0, 1, 0, 0);
  assert.equal(rimOf(cup, at([0, 0, 0], down)), undefined);
  assert.equal(rimOf(carton, at([0, 0, 0])), undefined);
  assert.deepEqual(extent(cup, at([0, 0, 1])), { bottom: 1, top: 1.06 });
});

Deno.test("planGrasp() takes a cup by its wall, a finger's width below the rim", () => {
  const pose = at([0.1, 0.2, 0.9]);
  const grasp = planGrasp({ boxes: cup, pose }, [], habits);
  const point = inWorld(pose, grasp.point);
  const [x, y] = [point[0]! - 0.1, point[1]! - 0.2];
  assert.ok(Math.abs(Math.hypot(x, y) - 0.05) < 0.003);
  assert.ok(Math.abs(Math.atan2(y, x) - habits.side) < 0.02);
  assert.ok(Math.abs(point[2]! - grasp.depth - 0.948) < 0.001);
});

Deno.test("planGrasp() keeps the outer finger clear of a neighbour and of sides tried in vain", () => {
  const pose = at([0, 0, 0]);
  const wall = { boxes: [box([-0.07, 0.07, 0.05], [0.01, 0.01, 0.05])], pose: at([0, 0, 0]) };
  const around = planGrasp({ boxes: cup, pose }, [wall], habits).side;
  assert.ok(Math.abs(around - habits.side) > 0.4, `${around}`);
  const second = planGrasp({ boxes: cup, pose }, [wall], { ...habits, tried: [around] }).side;
  assert.ok(Math.abs(second - around) > 0.4, `${second}`);
});

Deno.test("planGrasp() takes a carton across its narrow side, however it lies", () => {
  for (const yaw of [0, 0.4, 1.2]) {
    const pose = at([0.3, 0, 0.05], Float64Array.of(Math.cos(yaw / 2), 0, 0, Math.sin(yaw / 2)));
    const { axis, point } = planGrasp({ boxes: carton, pose }, [], habits);
    assert.ok(Math.abs(axis[0]!) > 0.99, `${yaw}: ${axis}`);
    assert.ok(Math.hypot(point[0]!, point[1]!) < 1e-3 && Math.abs(point[2]! - 0.015) < 1e-6, `${point}`);
  }
});

Deno.test("rotationTo() is the rotation vector between two hands that point down", () => {
  const home = straightDown([0, 1]), turned = straightDown([Math.sin(-0.3), Math.cos(-0.3)]);
  const [x, y, z] = rotationTo(turned, home);
  assert.ok(Math.hypot(x!, y!) < 1e-12 && Math.abs(Math.abs(z!) - 0.3) < 1e-12);
  assert.ok(straightDown([0, -1]).every((value, i) => value === home[i]));
});

const task = { suite: "made-up", name: "task" } as unknown as Task;
const scene = (goals: Goal[], start: Goal[] = []): Scene => ({
  goals,
  start,
  shapes: new Map(),
  articulated: new Set(["cabinet_1"]),
});

Deno.test("the expert refuses tasks that are more than picking and placing", () => {
  const refused = (s: Scene, message: string) =>
    assert.throws(() => new LiberoExpert(task, s, stream(0, "test"), { noise: false }), { message });
  refused(
    scene([{ predicate: "turnon", target: "stove_1", place: "stove_1" }]),
    'Cannot demonstrate "task": its goal is to turnon stove_1, the scripted expert picks and places only',
  );
  const inside = { predicate: "in", target: "bowl_1", place: "cabinet_1_top_region" };
  refused(
    scene([inside]),
    'Cannot demonstrate "task": cabinet_1_top_region must be opened first, the scripted expert picks and places only',
  );
  const open = { predicate: "open", target: "cabinet_1_top_region", place: "cabinet_1_top_region" };
  assert.ok(new LiberoExpert(task, scene([inside], [open]), stream(0, "test"), { noise: false }));
});

Deno.test("readScene() reads every predicate of a goal, and shapes by category", () => {
  const root = mkdtempSync(join(tmpdir(), "libero-scene-"));
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  put(
    "bddl_files/s/t.bddl",
    `(define (problem P) (:fixtures table - table box_1 - chest) (:objects cup_1 cup_2 - mug)
    (:init (On cup_1 table_a_region) (Open box_1_lid)) (:goal (And (In cup_1 box_1_lid) (On cup_2 cup_1))))`,
  );
  put("assets/things/mug/mug.xml", '<geom type="box" size="1 1 1" group="0"/>');
  put("assets/articulated_objects/chest.xml", '<joint type="hinge"/>');
  try {
    const { goals, start, shapes, articulated } = readScene(root, { suite: "s", name: "t" });
    assert.deepEqual(goals, [
      { predicate: "in", target: "cup_1", place: "box_1_lid" },
      { predicate: "on", target: "cup_2", place: "cup_1" },
    ]);
    assert.deepEqual(start.at(-1), { predicate: "open", target: "box_1_lid", place: "box_1_lid" });
    assert.deepEqual([...shapes].map(([name, boxes]) => [name, boxes.length]), [["cup_1", 1], ["cup_2", 1]]);
    assert.deepEqual([...articulated], ["box_1"]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

/** Why the real thing cannot be tried here, if so. */
function missing(): string | undefined {
  try {
    return libero() && undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
const reason = missing();

Deno.test({
  name: `the expert solves a task of the real LIBERO${reason ? ` (skipped: ${reason})` : ""}`,
  ignore: reason !== undefined,
  async fn() {
    const { python, root } = libero();
    const suite = "libero_spatial", protocol = protocols.ours;
    const tasks = liberoTasks(root, suite, protocol);
    const task = [...tasks.values()].find(({ name }) => name.includes("table_center"))!;
    await using pool = await LiberoPool.open({
      suite,
      tasks,
      root,
      command: workerCommand(python),
      protocol,
      cameras: [],
      lanes: 1,
      workers: 1,
    });
    const expert = new LiberoExpert(task, readScene(root, task), stream(0, "test", "expert"), {
      noise: true,
    });
    let seen: Observation = await pool.reset(0, task.name, { split: "training", index: 1 });
    for (let t = 1;; t++) {
      const action = Float32Array.from(expert.act(seen));
      assert.ok(action.every((x) => Math.abs(x) <= 1));
      const [step] = await pool.step([action]);
      seen = step!.observation;
      assert.ok(!step!.truncated, `no success in ${t} steps, the expert is at "${expert.phase}"`);
      if (step!.terminated) break;
    }
  },
});
