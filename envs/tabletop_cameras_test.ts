import assert from "node:assert/strict";
import { stream } from "../random.ts";
import type { Observation } from "./environment.ts";
import { Simulation } from "./mujoco.ts";
import { Pool } from "./pool.ts";
import { RayCamera } from "./ray_camera.ts";
import { openTabletop, tasks } from "./tabletop.ts";
import { cameraNames, TabletopCameras } from "./tabletop_cameras.ts";
import { mjcf } from "./tabletop_model.ts";
import { initialPositions } from "./tabletop_states.ts";
import { scenes } from "./tabletop_tasks.ts";

const cameras = cameraNames.map((name) => ({ name, width: 64, height: 64 }));
const state = { split: "evaluation", index: 0 } as const;
const name = Object.keys(tasks)[0]!;
const actions = Array.from(
  { length: 10 },
  (_, i) => stream(0, "camera test", i).fillUniform(new Float32Array(7), -1, 1),
);

async function played(cameras: { name: string; width: number; height: number }[]): Promise<Observation[]> {
  using environment = await openTabletop(name, { cameras });
  const first = environment.reset(state);
  return [first, ...actions.map((action) => environment.step(action).observation)];
}

// A ball of radius 1 at the origin above a floor at z = -1, a red box to the right.
const ball = `<mujoco><worldbody>
<geom type="plane" size="9 9 1" pos="0 0 -1" rgba="0 0 1 1"/>
<body name="ball"><geom type="sphere" size="1" rgba="1 1 1 1"/></body>
<body name="box" pos="0 3 0"><geom type="box" size=".5 .5 .5" rgba="1 0 0 1"/></body>
</worldbody></mujoco>`;
/** From x = 5 along -x: right is +y, up is +z. */
const pose = {
  position: Float64Array.of(5, 0, 0),
  rotation: Float64Array.of(0, 0, 1, 1, 0, 0, 0, 1, 0),
};

Deno.test("a picture is upright, and its depth is measured along the optical axis", async () => {
  using simulation = await Simulation.open(ball);
  simulation.update();
  const camera = new RayCamera(simulation, { name: "test", width: 81, height: 41 }, Math.PI / 3);
  const { color, depth, segmentation } = camera.picture(pose);
  const at = (row: number, column: number) => row * 81 + column;
  assert.ok(Math.abs(depth[at(20, 40)]! - 4) < 1e-6); // the ball's near point
  assert.equal(segmentation[at(20, 40)], simulation.body("ball"));
  assert.equal(segmentation[at(0, 40)], -1); // above everything
  assert.equal(depth[at(0, 40)], Infinity);
  assert.equal(segmentation[at(40, 40)], 0); // the floor, below
  // The floor is 1 m below the eye; its depth along the axis from the pixel's height on the screen.
  const screen = (2 * 40 + 1 - 41) / 41 * Math.tan(Math.PI / 6);
  assert.ok(Math.abs(depth[at(40, 40)]! - 1 / screen) < 1e-5);
  // The box is at y = 3, to the right: tan = 3 / 4.5 at its face.
  const column = Math.round(40 + 3 / 4.5 / Math.tan(Math.PI / 6) * 41 / 2);
  assert.equal(segmentation[at(20, column)], simulation.body("box"));
  assert.ok(Math.abs(depth[at(20, column)]! - 4.5) < 1e-6);
  const [red, green, blue] = color.subarray(3 * at(20, column));
  assert.ok(red! > 100 && green === 0 && blue === 0);
  assert.deepEqual(camera.color(pose), color);
});

Deno.test("the same actions give the same images; cameras change nothing else", async () => {
  const seen = await played(cameras), again = await played(cameras), blind = await played([]);
  assert.deepEqual(again, seen);
  assert.deepEqual(seen.map(({ images: _, ...rest }) => rest), blind);
  const [first, last] = [seen[0]!.images!, seen.at(-1)!.images!];
  for (const name of cameraNames) {
    assert.equal(first[name]!.data.length, 64 * 64 * 3);
    assert.notDeepEqual(first[name]!.data, last[name]!.data);
  }
});

Deno.test("both cameras see what they are for", async () => {
  const scene = scenes[0]!;
  using simulation = await Simulation.open(mjcf(scene, { drawn: true }));
  simulation.reset();
  simulation.views.qpos.set(initialPositions(scene, state));
  simulation.update();
  const pictures = new TabletopCameras(simulation, cameras).pictures();
  const { target, goal } = scene.task.roles;
  const seen = (camera: string, body: string) => {
    const id = simulation.body(body), rows: number[] = [];
    pictures[camera]!.segmentation.forEach((other, i) => other === id && rows.push(Math.floor(i / 64)));
    return rows;
  };
  for (const body of [target, goal, "hand"]) {
    assert.ok(seen("agentview", body).length >= 20, `agentview sees ${body}`);
  }
  // The hand is above the objects it shall grasp, in the world and in the picture.
  assert.ok(Math.max(...seen("agentview", "hand")) < Math.min(...seen("agentview", target)));
  for (const finger of ["left_finger", "right_finger"]) {
    assert.ok(seen("eye_in_hand", finger).length >= 20, `eye_in_hand sees ${finger}`);
  }
});

Deno.test("images come through a pool as they are, whatever the number of workers", async () => {
  const wanted = await played(cameras);
  for (const workers of [1, 2]) {
    await using pool = await Pool.open({ suite: "tabletop", lanes: 3, workers, cameras });
    await pool.reset(0, Object.keys(tasks)[1]!, state);
    const observations = [await pool.reset(2, name, state)];
    for (const action of actions) {
      const [, , step] = await pool.step([action, undefined, action]);
      observations.push(step!.observation);
    }
    assert.deepEqual(observations, wanted);
    assert.equal(observations[0]!.images![cameraNames[0]]!.data.buffer instanceof SharedArrayBuffer, false);
  }
});

Deno.test("a camera that does not exist, twice, or without pixels is refused", async () => {
  const open = (...cameras: [string, number][]) =>
    openTabletop(name, { cameras: cameras.map(([name, width]) => ({ name, width, height: 64 })) });
  await assert.rejects(open(["ceiling", 64]), {
    message: 'Cannot open tabletop camera "ceiling": it must be one of agentview, eye_in_hand',
  });
  await assert.rejects(open(["agentview", 64], ["agentview", 32]), {
    message: 'Cannot open tabletop camera "agentview" twice: each camera has one size',
  });
  await assert.rejects(open(["agentview", 0]), {
    message: 'Cannot open camera "agentview" with a width of 0: it must be 1 ... 1024 pixels',
  });
});
