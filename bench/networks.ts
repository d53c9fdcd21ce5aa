/**
 * Times the larger networks beside PyTorch and JAX of the same shapes: SERL's ResNetV1-10 trunk on 8 pictures of 128 x 128
 * (forward; and with all gradients and an SGD step), DSRL's small encoder on 256 pictures of 64 x 64 (SGD step), and the
 * flow transformer (256 chunks of 16 actions, 4 blocks of 128 numbers, 4 heads; flow loss, gradients, AdamW). All take
 * turns within every round, so that a slow spell of the machine meets each of them; the ratios are medians over rounds.
 *
 *     deno run -A bench/networks.ts [--peers PYTHON] [--only WORKLOAD] [--json] [--threads 2] [--rounds 8]
 */
import { parseArgs } from "node:util";
import { mul, type Scalar, sub, sum } from "@tensorflow/tfjs-core";
import { type Contestant, median, type Peer, peer, race } from "./race.ts";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compile, compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { encodePixels, initializePixelEncoder } from "../nn/pixel_encoder.ts";
import { drawTrunk, trunk } from "../nn/resnet.ts";
import { shapesOf } from "../nn/weights.ts";
import * as flow from "../policies/flow.ts";
import { stream } from "../random.ts";

const draw = stream(0, "bench");

function pictures(...shape: number[]): NDArray {
  const x = ndarray(shape);
  for (let i = 0; i < x.data.length; i++) x.data[i] = draw.integer(256);
  return x;
}

/** An SGD step on the sum of what `look` makes of pictures. */
async function sgd(
  look: (weights: Weights, pictures: Weights[string]) => Weights[string],
  weights: Tensors,
  seen: NDArray,
  threads: number,
): Promise<Contestant> {
  const step = (state: Weights, { pictures }: Weights) => {
    const { loss, gradients } = valueAndGradients(
      (w) => ({ loss: sum(look(w, pictures!)) as Scalar }),
      state,
    );
    const next = Object.entries(state).map(([name, p]) =>
      [name, sub(p, mul(1e-9, gradients[name]!))] as const
    );
    return { state: Object.fromEntries(next), metrics: { loss } };
  };
  const program = compileUpdate(step, { state: shapesOf(weights), batch: { pictures: seen.shape } });
  const learner = await Learner.create(program, weights, { threads });
  return timed(() => learner.update({ pictures: { ...seen, shape: [1, ...seen.shape] } }));
}

async function transformer(threads: number): Promise<Contestant> {
  const sizes = { features: 20, horizon: 16, action: 7 };
  const h = flow.hyperparameters.parse({ network: "transformer", layers: 4, width: 128, heads: 4 });
  const shapes = flow.updateShapes(sizes, h);
  const learner = await Learner.create(
    compileUpdate(flow.update(h), shapes),
    flow.initialize(draw, sizes, h),
    { threads },
  );
  const batches = Object.fromEntries(
    Object.entries(shapes.batch).map(([name, shape]) => {
      const x = ndarray([1, ...shape]);
      if (name === "weight") x.data.fill(1);
      else if (name === "time") flow.drawTimes(draw, x.data);
      else draw.fillNormal(x.data);
      return [name, x];
    }),
  );
  return timed(() => learner.update(batches));
}

/** How each workload is run here; the peers know them by the same names. */
const workloads: Readonly<Record<string, (threads: number) => Promise<Contestant>>> = {
  "trunk-forward": async (threads) => {
    const weights = drawTrunk(draw), seen = pictures(8, 128, 128, 3);
    const program = compile(({ pictures, ...w }) => ({ features: trunk(w, pictures!) }), {
      ...shapesOf(weights),
      pictures: seen.shape,
    });
    const session = await Session.create(program, { threads });
    return timed(() => session.run({ ...weights, pictures: seen }));
  },
  "trunk-step": (threads) => sgd(trunk, drawTrunk(draw), pictures(8, 128, 128, 3), threads),
  "encoder-step": (threads) =>
    sgd(
      (w, x) => encodePixels(w, "net", x),
      initializePixelEncoder(draw, "net", { height: 64, width: 64, channels: 3 }),
      pictures(256, 64, 64, 3),
      threads,
    ),
  "transformer-step": transformer,
};

function timed(run: () => Promise<unknown>): Contestant {
  return async () => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      peers: { type: "string" },
      only: { type: "string" },
      json: { type: "boolean", default: false },
      threads: { type: "string", default: "2" },
      rounds: { type: "string", default: "8" },
    },
  });
  const threads = Number(values.threads), rounds = Number(values.rounds);
  const results: Record<string, { ms: Record<string, number>; ratios: Record<string, number> }> = {};
  for (const [name, open] of Object.entries(workloads)) {
    if (values.only !== undefined && values.only !== name) continue;
    const contestants: Record<string, Contestant> = { ours: await open(threads) };
    const peers: Peer[] = [];
    for (const other of values.peers ? ["torch", "jax"] : []) {
      const process = await peer(values.peers!, `networks_${other}`, threads, 1, [name]);
      contestants[other] = process;
      peers.push(process);
    }
    const times = await race(contestants, rounds);
    for (const process of peers) await process.end();
    const ms = Object.fromEntries(Object.entries(times).map(([who, list]) => [who, median(list)]));
    const ratios = Object.fromEntries(
      Object.keys(times).filter((who) => who !== "ours").map((who) => [
        who,
        median(times["ours"]!.map((ms, round) => ms / times[who]![round]!)),
      ]),
    );
    results[name] = { ms, ratios };
    if (values.json) continue;
    const parts = Object.entries(ms).map(([who, value]) => `${who} ${value.toFixed(1)} ms`);
    const quotients = Object.entries(ratios).map(([who, value]) => `ours / ${who}: ${value.toFixed(3)}`);
    console.log(`${name.padEnd(18)} ${[...parts, ...quotients].join("   ")}`);
  }
  if (values.json) console.log(JSON.stringify({ threads, rounds, results }));
}

await main();
Deno.exit(0); // the runtime's pool would keep the process for a while
