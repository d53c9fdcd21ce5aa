/**
 * One Table 5 SAC update wherever it can run: onnxruntime-node, ONNX Runtime's C API, and a CUDA GPU; with a Python that
 * has them, the same in PyTorch and JAX. Then how far the GPU is from the CPU after 200 updates, and whether memory grows
 * over many. On the GPU the state stays there; batches come from the host in every call, and are part of the time.
 *
 *     deno run -A bench/sac_devices.ts [--device cuda] [--peers PYTHON] [--threads 2] [--rounds 10] [--updates 10000] [--json]
 */
import { command, count, device, flag, text } from "./command.ts";
import { machine } from "./machine.ts";
import { type Contestant, everyCore, median, peer, race, ratio, timed } from "./race.ts";
import { initialState, randomBatches, shapes, update } from "./sac_update.ts";
import type { Device } from "../engine/providers/devices.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import type { Tensors } from "../ndarray.ts";

const CALL = 20;
const program = compileUpdate(update, shapes);
const batches = randomBatches(CALL);

interface Place {
  readonly provider: string;
  readonly device: Device;
}

/** Runs `updates` of them, 20 in a call. */
async function learn(
  place: Place,
  threads: number,
  updates: number,
  watch?: (done: number) => void,
): Promise<Tensors> {
  await using learner = await Learner.create(program, initialState(), { threads, ...place });
  for (let done = 0; done < updates; done += CALL) {
    await learner.update(batches);
    watch?.(done + CALL);
  }
  return { ...learner.state };
}

/** The largest difference of a tensor over its largest entry, and the tensor it is of. */
function farthest(actual: Tensors, wanted: Tensors): { name: string; difference: number } {
  let worst = { name: "", difference: 0 };
  for (const [name, { data }] of Object.entries(wanted)) {
    const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-30);
    const difference = data.reduce((most, x, i) => Math.max(most, Math.abs(x - actual[name]!.data[i]!)), 0) /
      largest;
    if (!(difference <= worst.difference)) worst = { name, difference };
  }
  return worst;
}

/** MiB of the GPU in use, and of this process in memory. */
async function memory(device: Device): Promise<{ gpu: number | null; resident: number }> {
  const resident = Deno.memoryUsage().rss / 2 ** 20;
  if (device === "cpu") return { gpu: null, resident };
  const { openGpu } = await import("../engine/providers/ort/cuda.ts");
  const { free, total } = openGpu().memory();
  return { gpu: (total - free) / 2 ** 20, resident };
}

const options = {
  device: device(),
  peers: text(),
  threads: count(2),
  rounds: count(10),
  updates: count(10_000, 4),
  json: flag(),
};

await command(options, async ({ device, peers, threads, rounds, updates, json }) => {
  const places: Record<string, Place> = {
    "onnxruntime-node": { provider: "cpu", device: "cpu" },
    "C API, CPU": { provider: "ort", device: "cpu" },
    ...(device === "cpu" ? {} : { "C API, CUDA": { provider: "ort", device } }),
  };
  const contestants: Record<string, Contestant> = {};
  const opened = new AsyncDisposableStack();
  let times: Record<string, number[]>;
  try {
    for (const [name, place] of Object.entries(places)) {
      const learner = opened.use(await Learner.create(program, initialState(), { threads, ...place }));
      contestants[name] = timed(() => learner.update(batches), CALL);
    }
    for (const script of peers ? ["torch", "jax"] : []) {
      for (const where of device === "cpu" || script === "jax" ? [device] : ["cpu", device]) {
        if (script === "jax" && where === "cpu" && !everyCore("sac_jax", threads)) continue;
        const process = await peer(peers!, `sac_${script}`, threads, CALL, [where]);
        contestants[`${script}, ${where}`] = opened.use(process);
      }
    }
    times = await race(contestants, rounds);
  } finally {
    await opened.disposeAsync();
  }
  const ms = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
  const ours = Object.keys(places).at(-1)!;
  const ratios = Object.fromEntries(
    Object.keys(times).filter((name) => name !== ours).map((
      name,
    ) => [name, ratio(times[ours]!, times[name]!)]),
  );

  const place = places[ours]!;
  const difference = farthest(
    await learn(place, threads, 200),
    await learn(places["onnxruntime-node"]!, threads, 200),
  );
  const before = await memory(device);
  const growth: unknown[] = [];
  let next = updates / 4;
  await learn(place, threads, updates, (done) => {
    if (done < next) return;
    next += updates / 4;
    growth.push(memory(device).then((now) => ({ updates: done, ...now })));
  });
  const memories = { before, during: await Promise.all(growth), after: await memory(device) };
  const report = { threads, rounds, ms, ours, ratios, difference, memory: memories };
  if (json) console.log(JSON.stringify({ machine: await machine(), ...report }));
  else {
    console.log(
      `one Table 5 SAC update, ${threads} threads, ${CALL} in a call, medians of ${rounds} interleaved rounds`,
    );
    for (const [name, time] of Object.entries(ms)) {
      const ratio = ratios[name] === undefined ? "" : `   ${ours} / it: ${ratios[name]!.toFixed(3)}`;
      console.log(`${name.padEnd(20)} ${time.toFixed(3).padStart(8)} ms${ratio}`);
    }
    console.log(
      `after 200 updates: ${difference.name} differs most from onnxruntime-node, by ${difference.difference}`,
    );
    console.log(`memory, MiB, over ${updates} updates: ${JSON.stringify(memories)}`);
  }
});
