/** RIPT, training: passes of PPO over a round's rollouts of a Laplace policy. */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { normalize } from "../data/normalization.ts";
import { compile, compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { constant } from "../engine/trace.ts";
import type { StageContext } from "../lab/stage.ts";
import type { NDArray, Tensors } from "../ndarray.ts";
import { acting, initialize } from "../nn/parameter_groups.ts";
import { exportLaplace, sizesOf } from "../policies/laplace_policy.ts";
import { stream } from "../random.ts";
import * as ppo from "../rl/ppo.ts";
import { readPolicy } from "./chunked_base.ts";
import { executedWindows } from "./executed_windows.ts";
import { outputs, writePolicy } from "./trained_policy.ts";
import { gather, learn } from "./update_loop.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy that collected and its units, and its rollouts with advantages. */
export const inputs = { weights: "weights", normalization: "normalization", episodes: "episodes" } as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk, those whose density counts"),
  learner: ppo.hyperparameters,
});

/** log π_ψ of every step of the windows, [N, H], under the weights that collected them. */
async function densities(weights: Tensors, features: NDArray, actions: NDArray, threads: number) {
  const program = compile(({ features, actions }) => {
    const constants = Object.fromEntries(Object.entries(weights).map(([name, x]) => [name, constant(x)]));
    return {
      logDensity: ppo.stepDensity(constants, { features: features!, actions: actions! }, { fixScale: true }),
    };
  }, { features: features.shape, actions: actions.shape });
  await using session = await Session.create(program, { threads });
  return (await session.run({ features, actions })).logDensity!;
}

/** Trains from the given weights, in every pass on every window once, in a new order. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, threads, parameters: { tasks, execute, learner: h } } = context;
  const { weights, normalization } = await readPolicy(input.weights, input.normalization);
  const sizes = sizesOf(weights, normalization);
  const cut = executedWindows(decodeEpisodes(await Deno.readFile(input.episodes.path)), {
    order: tasks,
    horizon: sizes.horizon,
    stride: execute,
    learned: execute,
    column: "base",
  });
  const features = normalize(normalization.features, cut.features);
  const actions = normalize(normalization.actions, cut.chunks);
  const behaviour = await densities(weights, features, actions, threads);
  const count = features.shape[0]!, batch = Math.min(h.batch, count);
  const pass = Math.floor(count / batch), steps = h.epochs * pass;
  const initial = initialize(weights, h.header.weights);
  const { state, metrics } = await learn(context, {
    program: compileUpdate(ppo.update(h, steps), ppo.updateShapes(initial, sizes, batch)),
    initial,
    steps,
    batches(calls, step) {
      const indices = new Int32Array(calls * batch);
      for (let call = 0; call < calls; call++) {
        const epoch = Math.floor((step + call) / pass), place = (step + call) % pass;
        const order = stream(context.seed, "pass", epoch).permutation(count);
        indices.set(order.subarray(place * batch, (place + 1) * batch), call * batch);
      }
      const of = (x: NDArray) => gather(x, indices, calls);
      return {
        features: of(features),
        actions: of(actions),
        weight: of(cut.weight),
        advantage: of(cut.advantage),
        behaviour: of(behaviour),
      };
    },
  });
  const trained = acting(state), { onnx } = exportLaplace(trained, normalization, 1);
  await writePolicy(context.output, { weights: trained, normalization, onnx, losses: metrics });
}
