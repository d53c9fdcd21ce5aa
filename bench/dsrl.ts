/**
 * Times one DSRL update: DSRL-SAC with the tabletop's and with the published settings, DSRL-NA with the base's denoising
 * inside, the denoising alone; and, with a Python that has them, the same updates in PyTorch and JAX. All take turns
 * within every round; the ratios are medians over rounds.
 *
 *     deno run -A bench/dsrl.ts [--peers PYTHON] [--json] [--threads 2] [--rounds 10]
 */
import dsrlNaTabletop from "../experiments/dsrl_na_tabletop.ts";
import dsrlTabletop from "../experiments/dsrl_tabletop.ts";
import { Learner } from "../engine/learner.ts";
import { compile, compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import type { Shapes } from "../engine/trace.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import * as flow from "../policies/flow.ts";
import { denoise } from "../policies/policy.ts";
import { stream } from "../random.ts";
import * as dsrl from "../rl/dsrl.ts";
import * as na from "../rl/dsrl_na.ts";
import { chunkNoise, executedPart } from "../rl/steering_noise.ts";
import { command, count, flag, text } from "./command.ts";
import { machine } from "./machine.ts";
import { type Contestant, everyCore, median, peer, race, ratio, timed } from "./race.ts";

const UPDATES = 20;
const [FEATURES, HORIZON, ACTION, EXECUTE] = [20, 16, 7, 8];
/** The tabletop's state and repeated row. */
const TABLETOP = { state: 31, noise: 7 };
/** The public agent's latent and proprioception, and pi0's row. */
const PUBLISHED = { state: 58, noise: 32 };

/** The tabletop's values of a group of hyperparameters, as its experiment overrides them. */
function overridden(overrides: typeof dsrlTabletop.overrides, group: string): Record<string, unknown> {
  return Object.fromEntries(
    (overrides ?? []).filter(({ path }) => path.startsWith(`${group}.`))
      .map(({ path, value }) => [path.slice(group.length + 1), value]),
  );
}

function drawn(shapes: Shapes, leading: number): Tensors {
  const random = stream(1, "bench");
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const array = ndarray([leading, ...shape]);
      if (name === "discount") array.data.fill(0.92);
      else if (name !== "terminated") random.fillNormal(array.data);
      return [name, array];
    }),
  );
}

/** The mean milliseconds of a critic update in one call of `UPDATES` of them. */
async function updates(
  program: Parameters<typeof Learner.create>[0],
  { state, batch, threads, perIteration }: {
    state: Tensors;
    batch: Shapes;
    threads: number;
    perIteration: number;
  },
): Promise<Contestant> {
  const learner = await Learner.create(program, state, { threads });
  const batches = drawn(batch, UPDATES / perIteration);
  return timed(() => learner.update(batches), UPDATES);
}

function sac(sizes: typeof TABLETOP, values: Record<string, unknown>, threads: number): Promise<Contestant> {
  const h = dsrl.hyperparameters.parse(values), shapes = dsrl.updateShapes(sizes, h);
  const state = dsrl.initialize(stream(0, "bench"), sizes, h);
  return updates(compileUpdate(dsrl.update(h), shapes), {
    state,
    batch: shapes.batch,
    threads,
    perIteration: 1,
  });
}

/** The tabletop's base with weights as they are drawn: time does not depend on them. */
const base: na.Base = (() => {
  const h = flow.hyperparameters.parse({});
  const sizes = { features: FEATURES, horizon: HORIZON, action: ACTION };
  const weights = flow.acting(flow.initialize(stream(0, "base"), sizes, h));
  stream(1, "base").fillNormal(weights["velocity/out/kernel"]!.data);
  const unit = (n: number) => ({
    ...{ kind: "z-score", n: 1, clip: null } as const,
    center: Array<number>(n).fill(0),
    scale: Array<number>(n).fill(1),
  });
  const normalization = { features: unit(FEATURES), actions: unit(ACTION) };
  return (features, w) =>
    executedPart(denoise(weights, normalization, features, chunkNoise(w, 1, HORIZON)), EXECUTE);
})();

function aliased(threads: number): Promise<Contestant> {
  const h = na.hyperparameters.parse(overridden(dsrlNaTabletop.overrides, "na"));
  const sizes = { ...TABLETOP, features: FEATURES, action: EXECUTE * ACTION };
  const shapes = na.updateShapes(sizes, h);
  return updates(compileUpdate(na.update(h, base), shapes), {
    state: na.initialize(stream(0, "bench"), sizes, h),
    batch: shapes.batch,
    threads,
    perIteration: h.updates,
  });
}

/** One denoising of a minibatch: an update of DSRL-NA has one, and half a one for its distillation. */
async function denoising(threads: number): Promise<Contestant> {
  const inputs = { features: [256, FEATURES], w: [256, TABLETOP.noise] };
  const session = await Session.create(
    compile(({ features, w }) => ({ a: base(features!, w!) }), inputs),
    { threads },
  );
  const arrays = Object.fromEntries(
    Object.entries(drawn(inputs, 1)).map((
      [name, { data }],
    ) => [name, ndarray([256, data.length / 256], data)]),
  );
  return timed(async () => {
    for (let i = 0; i < UPDATES; i++) await session.run(arrays);
  }, UPDATES);
}

const options = { peers: text(), json: flag(), threads: count(2), rounds: count(10) };

await command(options, async ({ peers, json, threads, rounds }) => {
  const ours: Record<string, Contestant> = {
    tabletop: await sac(TABLETOP, overridden(dsrlTabletop.overrides, "learner"), threads),
    published: await sac(PUBLISHED, {}, threads),
    na: await aliased(threads),
    denoising: await denoising(threads),
  };
  const contestants = { ...ours };
  const withJax = peers !== undefined && everyCore("dsrl_jax", threads);
  await using started = new AsyncDisposableStack();
  for (const variant of peers ? ["tabletop", "published", "na"] : []) {
    for (const name of ["torch", "jax"]) {
      if (name === "jax" && !withJax) continue;
      const process = await peer(peers!, `dsrl_${name}`, threads, UPDATES, [variant]);
      contestants[`${variant} ${name}`] = started.use(process);
    }
  }
  const times = await race(contestants, rounds);
  const report = Object.entries(times).map(([name, list]) => {
    const mine = times[name.split(" ")[0]!]!;
    return { name, ms: median(list), ratio: name.includes(" ") ? ratio(mine, list) : null };
  });
  if (json) {
    console.log(JSON.stringify({ machine: await machine(), threads, rounds, report }));
    return;
  }
  console.log(`one DSRL update, ${threads} threads, medians of ${rounds} interleaved rounds`);
  for (const { name, ms, ratio } of report) {
    const compared = ratio === null ? "" : `   ours / it: ${ratio.toFixed(3)}`;
    console.log(`${name.padEnd(20)} ${ms.toFixed(2).padStart(7)} ms${compared}`);
  }
});
