/** The page's MuJoCo: the package's, and it remembers the simulation made last, whose state the replay draws. */
import load from "../../../node_modules/@mujoco/mujoco/mujoco.js";

/** The simulation made last: `{ mujoco, model, data }`. The environment keeps its own reference private. */
export let latest;

/** As the package's. */
export default async function loadMujoco(...options) {
  const mujoco = await load(...options);
  const Data = mujoco.MjData;
  mujoco.MjData = function (model) {
    const data = new Data(model);
    latest = { mujoco, model, data };
    return data;
  };
  return mujoco;
}
