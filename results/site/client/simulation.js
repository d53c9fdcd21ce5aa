/** Episodes simulated again in a worker, which alone may make code of text (MuJoCo's bindings do). */

let worker;
let count = 0;
const waiting = new Map();

/** Simulates an episode as /episodes/… gives it; rejects where its world is not one the page has. */
export function simulate(episode) {
  const actions = episode.columns.action;
  if (!actions || actions.shape[1] !== 7) {
    return Promise.reject(new Error("It has no actions of seven numbers"));
  }
  const { task, split, index, length, success, columns } = episode;
  const stored = columns.proprioception && Float32Array.from(columns.proprioception.data);
  const id = count++;
  const message = { task, split, index, length, success, actions: Float32Array.from(actions.data), stored };
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    start().postMessage({ id, episode: message });
  });
}

function start() {
  if (worker) return worker;
  worker = new Worker(new URL("./simulation_worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data: { id, replay, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(replay);
    else reject(new Error(error));
  });
  worker.addEventListener("error", (event) => {
    for (const { reject } of waiting.values()) {
      reject(new Error(event.message ?? "The simulation could not start"));
    }
    waiting.clear();
  });
  return worker;
}
