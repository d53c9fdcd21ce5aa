import assert from "node:assert/strict";
import { encodeNormalizations } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import * as pld from "../rl/pld.ts";
import { artifact, attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { capableBase, demonstrations, episodesOf, task, tasks, world } from "../tests/tabletop_subjects.ts";
import * as collectHybrid from "./collect_hybrid.ts";
import * as collectSuccesses from "./collect_successes.ts";
import { stateScale } from "./transitions.ts";

const EXECUTE = 8, FIRST = 20, ALPHA = 0.4;
const base = await capableBase();
const normalization = stateScale(await episodesOf(await demonstrations(2)), EXECUTE);
const scale = await artifact("normalization", encodeNormalizations({ state: normalization }));
const h = pld.hyperparameters.parse({ width: 16, layers: 2 });
const sizes = { state: normalization.center.length, action: 7 };
const residual = await artifact(
  "weights",
  encodeSafetensors({
    ...pld.initialize(stream(0, "specialist"), sizes, h),
    xi: ndarray([7], new Float32Array(7).fill(0.05)),
  }),
);
const collecting = {
  world,
  task: task.name,
  tasks,
  execute: EXECUTE,
  episodes: 3,
  attempts: 60,
  first: FIRST,
  lanes: 4,
};

const hybrid = (conditions: Conditions = {}, { alpha = ALPHA, attempts = 60 } = {}) =>
  attempt(collectHybrid, { ...base, residual, scale }, { ...collecting, alpha, attempts }, conditions);
const whole = await hybrid();

Deno.test("collect_hybrid keeps successes, in which the base acts alone until its hand-over", async () => {
  const episodes = await episodesOf(whole.output.episodes);
  assert.equal(episodes.length, 3);
  let handedOver = 0;
  for (const { success, split, index, length, columns, tags } of episodes) {
    assert.ok(success && split === "training");
    const steps = tags.baseSteps!;
    const drawn = stream(0, "hand-over", index - FIRST).uniform(0, ALPHA * task.maxSteps);
    assert.equal(steps, Math.floor(drawn));
    assert.ok(Number.isInteger(steps) && steps >= 0 && steps < ALPHA * task.maxSteps);
    for (let t = 0; t < length; t++) {
      const row = ({ data }: { data: Float32Array }) => [...data.subarray(7 * t, 7 * t + 7)];
      const executed = row(columns.action!), proposed = row(columns.base!);
      if (t < steps) assert.deepEqual(executed, proposed, `step ${t} of ${length}, hand-over at ${steps}`);
      else assert.notDeepEqual(executed, proposed, `step ${t} of ${length}, hand-over at ${steps}`);
    }
    if (steps > 0 && steps < length) handedOver++;
    assert.deepEqual(columns[`object/${task.roles.target}`]!.shape, [length, 13], "observations are kept");
  }
  assert.ok(handedOver > 0, "both have acted in some episode");
});

Deno.test("collect_hybrid resumes to the bytes of an uninterrupted run", async () => {
  const { checkpoints } = await hybrid({ interruptAt: 2 });
  const resumed = await hybrid({ checkpoint: checkpoints[0], workers: 2 });
  assert.deepEqual(digests(resumed), digests(whole));
  assert.deepEqual(resumed.budget, whole.budget);
});

Deno.test("collect_hybrid says when its attempts are too few", async () => {
  await assert.rejects(hybrid({}, { attempts: 2 }), {
    message: /^Cannot keep 3 episodes: \d of the 2 tried/,
  });
});

Deno.test("collect_successes keeps what the base alone achieves, and resumes to the same bytes", async () => {
  const own = (conditions: Conditions = {}) => attempt(collectSuccesses, base, collecting, conditions);
  const all = await own();
  const episodes = await episodesOf(all.output.episodes);
  assert.equal(episodes.length, 3);
  for (const { success, split, index, length, columns } of episodes) {
    assert.ok(success && split === "training" && index >= FIRST && index < FIRST + 60);
    assert.ok(length < task.maxSteps);
    assert.deepEqual(columns.action!.data, columns.base!.data);
  }
  const { checkpoints } = await own({ interruptAt: 3 });
  assert.deepEqual(digests(await own({ checkpoint: checkpoints[0] })), digests(all));
});
