/**
 * Times one DSRL-SAC update from pictures with the public LIBERO settings (256 queries, pictures of 64 x 64, 10 critics,
 * w of 32 numbers), with random crop, without and with color jitter; the same networks from states; and, with a Python
 * that has it, the first in PyTorch. All take turns within every round, so that a slow spell of the machine meets each
 * of them; the ratio is the median over rounds.
 *
 *     deno run -A bench/dsrl_pixels.ts [--peers PYTHON] [--json] [--threads 2] [--rounds 6]
 */
import { command, count, flag, text } from "./command.ts";
import { machine } from "./machine.ts";
import { type Contestant, median, peer, race, ratio, timed } from "./race.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate, type Program } from "../engine/program.ts";
import type { Shapes } from "../engine/trace.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { drawCrops, drawJitters } from "../nn/augmentation.ts";
import { stream } from "../random.ts";
import * as dsrl from "../rl/dsrl.ts";
import * as pixels from "../rl/dsrl_pixels.ts";

const sizes = { height: 64, width: 64, channels: 3, state: 8, noise: 32 };

function batches(shapes: Shapes): Tensors {
  const random = stream(1, "bench");
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const array = ndarray([1, ...shape]);
      if (/crops/i.test(name)) drawCrops(random, array.data);
      else if (/jitters/i.test(name)) drawJitters(random, array.data);
      else if (/pixels/i.test(name)) array.data.set(array.data.map(() => random.integer(256)));
      else if (name === "discount") array.data.fill(0.98);
      else if (name !== "terminated") random.fillNormal(array.data);
      return [name, array];
    }),
  );
}

async function contestant(
  program: Program,
  state: Tensors,
  batch: Shapes,
  threads: number,
): Promise<Contestant> {
  const learner = await Learner.create(program, state, { threads }), given = batches(batch);
  return timed(() => learner.update(given));
}

function fromPixels(threads: number, colorJitter: boolean): Promise<Contestant> {
  const h = pixels.hyperparameters.parse({ colorJitter }), shapes = pixels.updateShapes(sizes, h);
  const state = pixels.initialize(stream(0, "bench"), sizes, h);
  return contestant(compileUpdate(pixels.update(h), shapes), state, shapes.batch, threads);
}

function fromStates(threads: number): Promise<Contestant> {
  const h = dsrl.hyperparameters.parse({}), widths = { state: 31, noise: 32 };
  const shapes = dsrl.updateShapes(widths, h), state = dsrl.initialize(stream(0, "bench"), widths, h);
  return contestant(compileUpdate(dsrl.update(h), shapes), state, shapes.batch, threads);
}

const options = { peers: text(), json: flag(), threads: count(2), rounds: count(6) };

await command(options, async ({ peers, json, threads, rounds }) => {
  const contestants: Record<string, Contestant> = {
    pixels: await fromPixels(threads, false),
    "pixels, jitter": await fromPixels(threads, true),
    states: await fromStates(threads),
  };
  await using torch = peers === undefined ? null : await peer(peers, "dsrl_pixels_torch", threads, 1);
  if (torch) contestants["torch pixels"] = torch;
  const times = await race(contestants, rounds);
  const ms = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
  const overTorch = times["torch pixels"] && ratio(times["pixels"]!, times["torch pixels"]);
  if (json) {
    console.log(JSON.stringify({ machine: await machine(), threads, rounds, ms, ratio: overTorch }));
    return;
  }
  console.log(`one DSRL-SAC update, ${threads} threads, medians of ${rounds} interleaved rounds`);
  for (const [name, value] of Object.entries(ms)) {
    const text = name === "pixels" && overTorch !== undefined
      ? `   ours / PyTorch: ${overTorch.toFixed(3)}`
      : "";
    console.log(`${name.padEnd(16)} ${value.toFixed(1).padStart(8)} ms${text}`);
  }
});
