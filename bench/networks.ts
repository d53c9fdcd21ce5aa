/**
 * Times the larger networks beside PyTorch and JAX of the same shapes: SERL's ResNetV1-10 trunk on 8 pictures of 128 x 128
 * (forward, frozen; and with all gradients and an SGD step), DSRL's small encoder on 256 pictures of 64 x 64 (SGD step),
 * and the flow transformer (256 chunks of 16 actions, 4 blocks of 128 numbers, 4 heads; flow loss, gradients, AdamW). All
 * take turns within every round, so that a slow spell of the machine meets each of them; the ratios are medians over
 * rounds. Ours copies the pictures from the host in every call, also to a GPU; the peers' lie on their device.
 *
 *     deno run -A bench/networks.ts [--device cpu|cuda] [--peers PYTHON] [--only WORKLOAD] [--json] [--threads 2]
 *         [--rounds 8]
 */
import { command, count, device, flag, oneOf, text } from "./command.ts";
import { machine } from "./machine.ts";
import { encoderStep, pictures, type Problem, transformerStep, trunkStep } from "./network_updates.ts";
import { type Contestant, median, peer, race, ratio, timed } from "./race.ts";
import { Learner } from "../engine/learner.ts";
import { compile } from "../engine/program.ts";
import { Session, type SessionOptions } from "../engine/session.ts";
import { constant } from "../engine/trace.ts";
import { drawTrunk, trunk } from "../nn/resnet.ts";
import { stream } from "../random.ts";

type Open = (options: SessionOptions, opened: AsyncDisposableStack) => Promise<Contestant>;

const trunkForward: Open = async (options, opened) => {
  const weights = Object.entries(drawTrunk(stream(0, "bench"))), seen = pictures(8, 128, 128, 3);
  const program = compile(({ pictures }) => {
    const frozen = weights.map(([name, x]) => [name, constant(x)] as const);
    return { features: trunk(Object.fromEntries(frozen), pictures!) };
  }, { pictures: seen.shape });
  const session = opened.use(await Session.create(program, options));
  return timed(() => session.run({ pictures: seen }));
};

const learning = (problem: () => Problem): Open => async (options, opened) => {
  const { program, state, batches, updates } = problem();
  const learner = opened.use(await Learner.create(program, state, options));
  return timed(() => learner.update(batches), updates);
};

/** How each workload is opened here; the peers know them by the same names. */
const workloads: Readonly<Record<string, Open>> = {
  "trunk-forward": trunkForward,
  "trunk-step": learning(trunkStep),
  "encoder-step": learning(encoderStep),
  "transformer-step": learning(transformerStep),
};

const names = Object.keys(workloads);
const options = {
  device: device(),
  peers: text(),
  only: oneOf(names, undefined),
  json: flag(),
  threads: count(2),
  rounds: count(8),
};

await command(options, async ({ device, peers, only, json, threads, rounds }) => {
  const results: Record<string, { ms: Record<string, number>; ratios: Record<string, number> }> = {};
  for (const name of only === undefined ? names : [only]) {
    await using opened = new AsyncDisposableStack();
    const contestants: Record<string, Contestant> = {
      ours: await workloads[name]!({ device, threads }, opened),
    };
    for (const other of peers === undefined ? [] : ["torch", "jax"]) {
      contestants[other] = opened.use(await peer(peers!, `networks_${other}`, threads, 1, [name, device]));
    }
    const { ours, ...others } = await race(contestants, rounds);
    const ms = Object.fromEntries(
      Object.entries({ ours: ours!, ...others }).map(([who, list]) => [who, median(list)]),
    );
    const ratios = Object.fromEntries(Object.entries(others).map(([who, list]) => [who, ratio(ours!, list)]));
    results[name] = { ms, ratios };
    if (json) continue;
    const parts = Object.entries(ms).map(([who, value]) => `${who} ${value.toFixed(2)} ms`);
    const quotients = Object.entries(ratios).map(([who, value]) => `ours / ${who}: ${value.toFixed(3)}`);
    console.log(`${name.padEnd(18)} ${[...parts, ...quotients].join("   ")}`);
  }
  if (json) console.log(JSON.stringify({ machine: await machine(), device, threads, rounds, results }));
});
