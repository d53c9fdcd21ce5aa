/**
 * Times one Table 5 SAC update: ours, 20 in one call; its bare matrix products; and, with a Python that has them,
 * the same update in PyTorch and JAX. All take turns within every round, so that a slow spell of the machine meets
 * each of them; the ratios are medians over rounds.
 *
 *     deno run -A bench/sac.ts [--peers PYTHON] [--json] [--threads 2] [--rounds 10]
 */
import { concat, gather, matMul, slice, type Tensor, tensor1d } from "@tensorflow/tfjs-core";
import { command, count, flag, text } from "./command.ts";
import { machine } from "./machine.ts";
import { type Contestant, everyCore, median, peer, race, ratio, timed } from "./race.ts";
import { initialState, randomBatches, shapes, TABLE_5, update } from "./sac_update.ts";
import { Learner } from "../engine/learner.ts";
import { compile, compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import type { Shapes } from "../engine/trace.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { stream } from "../random.ts";

const UPDATES = 20;

async function ours(threads: number): Promise<Contestant> {
  const learner = await Learner.create(compileUpdate(update, shapes), initialState(), { threads });
  const batches = randomBatches(UPDATES);
  return timed(() => learner.update(batches), UPDATES);
}

/** One matrix product [rows, inner] x [inner, columns] and how many of it an update has. */
type Product = [count: number, rows: number, inner: number, columns: number, form: "NN" | "TN" | "NT"];

// Networks: two critics (value, gradient, and value and input gradient for the actor), two targets, the actor twice.
function products(): Product[] {
  const { batch, state, action, width, layers, critics } = TABLE_5;
  const input = state + action;
  const inner = layers - 1;
  const forward = (count: number, output: number): Product[] => [
    [count, batch, input, width, "NN"],
    [count * inner, batch, width, width, "NN"],
    [count, batch, width, output, "NN"],
  ];
  const weightGradients = (count: number, output: number): Product[] => [
    [count, input, batch, width, "TN"],
    [count * inner, width, batch, width, "TN"],
    [count, width, batch, output, "TN"],
  ];
  const inputGradients = (count: number): Product[] => [[count * inner, batch, width, width, "NT"]];
  return [
    ...forward(3 * critics, 1),
    ...forward(2, 2 * action),
    ...weightGradients(critics, 1),
    ...weightGradients(1, 2 * action),
    ...inputGradients(2 * critics + 1),
    [2 * critics, batch, 1, width, "NT"],
    [critics, batch, width, action, "NT"],
    [1, batch, 2 * action, width, "NT"],
  ];
}

async function floor(threads: number): Promise<{ run: Contestant; count: number }> {
  const list = products().flatMap(([count, ...product]) => Array.from({ length: count }, () => product));
  const inputs: Record<string, number[]> = {};
  list.forEach(([rows, inner, columns, form], i) => {
    inputs[`a${i}`] = form === "TN" ? [inner, rows] : [rows, inner];
    inputs[`b${i}`] = form === "NT" ? [columns, inner] : [inner, columns];
  });
  const program = compile((given: Record<string, Tensor>) => {
    // One element of each comes out: the others are computed all the same, but not copied.
    const corners = list.map(([, , , form], i) => {
      const product = matMul(given[`a${i}`]!, given[`b${i}`]!, form === "TN", form === "NT");
      return slice(gather(product, tensor1d([0], "int32")), [0, 0], [1, 1]);
    });
    return { corners: concat(corners) };
  }, inputs);
  const session = await Session.create(program, { threads });
  const random = stream(2, "bench");
  const arrays = drawn(program.inputs, (out) => random.fillNormal(out));
  const run = timed(async () => {
    for (let i = 0; i < UPDATES; i++) await session.run(arrays);
  }, UPDATES);
  return { run, count: list.length };
}

function drawn(shapes: Shapes, fill: (out: Float32Array) => void): Tensors {
  const arrays: Tensors = {};
  for (const [name, shape] of Object.entries(shapes)) {
    arrays[name] = ndarray(shape);
    fill(arrays[name].data);
  }
  return arrays;
}

const options = { peers: text(), json: flag(), threads: count(2), rounds: count(10) };

await command(options, async ({ peers, json, threads, rounds }) => {
  const { run: bare, count } = await floor(threads);
  const contestants: Record<string, Contestant> = { ours: await ours(threads), floor: bare };
  await using started = new AsyncDisposableStack();
  for (const name of peers ? ["torch", "jax"] : []) {
    if (name === "jax" && !everyCore("sac_jax", threads)) continue;
    contestants[name] = started.use(await peer(peers!, `sac_${name}`, threads, UPDATES));
  }
  const times = await race(contestants, rounds);
  const ratios = Object.fromEntries(
    Object.keys(times).filter((name) => name !== "ours").map((name) => [
      name,
      ratio(times["ours"]!, times[name]!),
    ]),
  );
  if (json) {
    const ms = median(times["ours"]!);
    console.log(JSON.stringify({ machine: await machine(), threads, rounds, ms, ratios }));
    return;
  }
  const label: Record<string, string> = {
    ours: `ours, ${UPDATES} in one Scan`,
    floor: `${count} bare matrix products`,
    torch: "PyTorch eager",
    jax: `JAX, scan of ${UPDATES}`,
  };
  console.log(`one Table 5 SAC update, ${threads} threads, medians of ${rounds} interleaved rounds`);
  for (const [name, list] of Object.entries(times)) {
    const ratio = ratios[name] === undefined ? "" : `   ours / it: ${ratios[name].toFixed(3)}`;
    console.log(`${label[name]!.padEnd(28)} ${median(list).toFixed(2).padStart(7)} ms${ratio}`);
  }
});
