/**
 * Times DSRL's pixel encoder on 256 pictures of 64 x 64: an SGD step (forward, backward, step), the forward pass alone,
 * and the random crop and color jitter before them; and, with a Python that has it, the first two in PyTorch. All take
 * turns within every round, so that a slow spell of the machine meets each of them; the ratios are medians over rounds.
 *
 *     deno run -A bench/encoder.ts [--peers PYTHON] [--json] [--threads 2] [--rounds 10]
 */
import { mul, type Scalar, sub, sum, type Tensor } from "@tensorflow/tfjs-core";
import { command, count, flag, text } from "./command.ts";
import { machine } from "./machine.ts";
import { type Contestant, median, peer, race, ratio, timed } from "./race.ts";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compile, compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { ndarray, size, type Tensors } from "../ndarray.ts";
import {
  colorJitter,
  cropNumbers,
  drawCrops,
  drawJitters,
  jitterNumbers,
  randomCrop,
} from "../nn/augmentation.ts";
import { encodePixels, initializePixelEncoder } from "../nn/pixel_encoder.ts";
import { shapesOf } from "../nn/weights.ts";
import { stream } from "../random.ts";

const BATCH = 256, EDGE = 64;
const shape = [BATCH, EDGE, EDGE, 3];
const weights = initializePixelEncoder(stream(0, "bench"), "net", { height: EDGE, width: EDGE, channels: 3 });
const pictures = ndarray(shape);
const draw = stream(1, "bench");
for (let i = 0; i < size(shape); i++) pictures.data[i] = draw.integer(256);

function step(state: Weights, { pictures }: Weights) {
  const { loss, gradients } = valueAndGradients(
    (w) => ({ loss: sum(encodePixels(w, "net", pictures!)) as Scalar }),
    state,
  );
  const next = Object.entries(state).map(([name, p]) => [name, sub(p, mul(1e-6, gradients[name]!))] as const);
  return { state: Object.fromEntries(next), metrics: { loss } };
}

async function steps(threads: number): Promise<Contestant> {
  const program = compileUpdate(step, { state: shapesOf(weights), batch: { pictures: shape } });
  const learner = await Learner.create(program, weights, { threads });
  return timed(() => learner.update({ pictures: { ...pictures, shape: [1, ...shape] } }));
}

async function once(
  f: (inputs: Record<string, Tensor>) => Record<string, Tensor>,
  inputs: Tensors,
  threads: number,
): Promise<Contestant> {
  const session = await Session.create(compile(f, shapesOf(inputs)), { threads });
  return timed(() => session.run(inputs));
}

const options = { peers: text(), json: flag(), threads: count(2), rounds: count(10) };

await command(options, async ({ peers, json, threads, rounds }) => {
  const crops = ndarray([BATCH, cropNumbers]), jitters = ndarray([BATCH, jitterNumbers]);
  drawCrops(draw, crops.data);
  drawJitters(draw, jitters.data);
  const encode = ({ pictures, ...w }: Weights) => ({ latent: encodePixels(w, "net", pictures!) });
  // The sum of the pictures comes out: the others are computed all the same, but not copied.
  const crop = ({ pictures, crops }: Weights) => ({ sum: sum(randomCrop(pictures!, crops!)) });
  const jitter = ({ pictures, jitters }: Weights) => ({ sum: sum(colorJitter(pictures!, jitters!)) });
  const contestants: Record<string, Contestant> = {
    step: await steps(threads),
    forward: await once(encode, { ...weights, pictures }, threads),
    crop: await once(crop, { pictures, crops }, threads),
    jitter: await once(jitter, { pictures, jitters }, threads),
  };
  await using started = new AsyncDisposableStack();
  for (const [name, more] of peers ? [["torch step", []], ["torch forward", ["forward"]]] as const : []) {
    contestants[name] = started.use(await peer(peers!, "encoder_torch", threads, 1, more));
  }
  const times = await race(contestants, rounds);
  const ms = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
  const ratios = Object.fromEntries(
    Object.keys(times).filter((name) => `torch ${name}` in times).map((name) => [
      name,
      ratio(times[name]!, times[`torch ${name}`]!),
    ]),
  );
  if (json) {
    console.log(JSON.stringify({ machine: await machine(), threads, rounds, ms, ratios }));
    return;
  }
  console.log(`${BATCH} pictures of ${EDGE} x ${EDGE}, ${threads} threads, medians of ${rounds} rounds`);
  for (const [name, value] of Object.entries(ms)) {
    const ratio = name in ratios ? `   ours / PyTorch: ${ratios[name]!.toFixed(3)}` : "";
    console.log(`${name.padEnd(16)} ${value.toFixed(1).padStart(7)} ms${ratio}`);
  }
});
