/**
 * Replays episodes in the environment they came from: the same reset and the same actions give the same states, so an
 * evaluation that stores actions alone can be seen, too.
 */
import { openTabletop, tasks } from "../../../envs/tabletop.ts";
import { latest } from "./mujoco.js";

/** Bodies between which the arm is drawn: its links have no shapes of their own. */
const CHAIN = ["base", "link1", "link2", "link3", "link4", "link5", "link6", "link7", "hand"];

// One after the other: the simulation made last is the one that runs.
let turn = Promise.resolve();
self.addEventListener("message", ({ data }) => turn = turn.then(() => answer(data)));

async function answer({ id, episode }) {
  try {
    const replay = await run(episode);
    self.postMessage({ id, replay }, [replay.positions.buffer, replay.rotations.buffer, replay.chain.buffer]);
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
}

async function run({ task, split, index, length, success, actions, stored }) {
  if (!Object.hasOwn(tasks, task)) {
    throw new Error(`Cannot simulate task "${task}": it is not one of the tabletop`);
  }
  const environment = await openTabletop(task);
  const { mujoco, model, data } = latest;
  const geoms = describe(model);
  const bodies = CHAIN.map((name) => mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY.value, name));
  const frames = length + 1;
  const positions = new Float32Array(frames * geoms.length * 3);
  const rotations = new Float32Array(frames * geoms.length * 9);
  const chain = new Float32Array(frames * CHAIN.length * 3);
  const keep = (frame) => {
    positions.set(data.geom_xpos, frame * geoms.length * 3);
    rotations.set(data.geom_xmat, frame * geoms.length * 9);
    const places = data.xpos;
    bodies.forEach((body, i) =>
      chain.set(places.subarray(3 * body, 3 * body + 3), (frame * bodies.length + i) * 3)
    );
  };
  let observation = environment.reset({ split, index });
  let greatest = stored ? difference(observation, stored, 0) : 0;
  keep(0);
  let step = { success: false };
  let t = 0;
  for (; t < length; t++) {
    step = environment.step(actions.subarray(7 * t, 7 * t + 7));
    observation = step.observation;
    keep(t + 1);
    if (stored && t + 1 < length) greatest = Math.max(greatest, difference(observation, stored, t + 1));
    if (step.success || step.truncated) break;
  }
  const same = step.success === success && (t === length - 1 || t === length) && greatest < 1e-5;
  environment[Symbol.dispose]?.();
  return {
    geoms,
    frames,
    positions,
    rotations,
    chain,
    links: CHAIN.length,
    same,
    greatest,
    success: step.success,
  };
}

/** The greatest difference between an observation and the stored proprioception of a step. */
function difference({ proprioception }, stored, t) {
  let greatest = 0;
  for (let i = 0; i < 8; i++) greatest = Math.max(greatest, Math.abs(proprioception[i] - stored[8 * t + i]));
  return greatest;
}

function describe(model) {
  const [types, sizes, colours] = [model.geom_type, model.geom_size, model.geom_rgba];
  return Array.from(types, (type, i) => ({
    type,
    size: Array.from(sizes.subarray(3 * i, 3 * i + 3)),
    colour: Array.from(colours.subarray(4 * i, 4 * i + 4)),
  }));
}
