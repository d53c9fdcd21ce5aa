/**
 * Whether sessions and learners leave memory behind: so many are created, run and disposed on each provider, and the
 * memory of the process (and of the GPU) is taken every quarter. V8 gives itself more room for young objects the longer
 * a program makes them, up to some 60 MiB: with that room fixed, what is left is what the sessions leave.
 *
 *     deno run -A --v8-flags=--expose-gc,--min-semi-space-size=4,--max-semi-space-size=4 bench/sessions.ts
 *       [--device cuda] [--count 1000] [--json]
 */
import { matMul, tanh } from "@tensorflow/tfjs-core";
import { command, count, device, flag } from "./command.ts";
import { machine } from "./machine.ts";
import { type Device, devices } from "../engine/providers/devices.ts";
import { batches, initialState, shapes, update } from "../engine/fixtures/small_update.ts";
import { Learner } from "../engine/learner.ts";
import { compile, compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { UsageError } from "../lab/errors.ts";
import { ndarray } from "../ndarray.ts";

const WIDTH = 256;
const program = compile(({ x, w }) => ({ y: tanh(matMul(x!, w!)) }), {
  x: [WIDTH, WIDTH],
  w: [WIDTH, WIDTH],
});
const updates = compileUpdate(update, shapes);

const { gc } = globalThis as { gc?: () => void };

function openLibc() {
  try {
    return Deno.dlopen("libc.so.6", {
      mallinfo2: { parameters: [], result: { struct: Array(10).fill("usize") } },
    });
  } catch {
    throw new Error("Cannot tell what memory is in use: this needs Linux with glibc 2.33 or newer");
  }
}

/** MiB of this process in memory, of that in use (by malloc and V8, without what they keep for later), and of the GPU. */
async function memory(libc: ReturnType<typeof openLibc>, device: Device): Promise<Record<string, number>> {
  // What the first sweep frees in the background, the second finds gone.
  for (let sweep = 0; sweep < 2; sweep++) {
    gc!();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const mib = (bytes: number) => Math.round(bytes / 2 ** 20 * 10) / 10;
  const { rss, heapUsed } = Deno.memoryUsage();
  // arena, ordblks, smblks, hblks, hblkhd (bytes in maps), usmblks, fsmblks, uordblks (bytes in use), ...
  const malloc = new BigUint64Array(libc.symbols.mallinfo2().buffer);
  const host = { resident: mib(rss), used: mib(heapUsed + Number(malloc[4]! + malloc[7]!)) };
  if (device === "cpu") return host;
  const { openGpu } = await import("../engine/providers/ort/cuda.ts");
  const { free, total } = openGpu().memory();
  return { ...host, gpu: mib(total - free) };
}

async function one(provider: string, device: Device): Promise<void> {
  const options = { threads: 1, provider, device };
  await using session = await Session.create(program, options);
  await session.run({ x: ndarray([WIDTH, WIDTH]), w: ndarray([WIDTH, WIDTH]) });
  await using learner = await Learner.create(updates, initialState(), options);
  await learner.update(batches(2));
  void learner.state["step"];
}

const options = { device: device(), count: count(1000, 4), json: flag() };

await command(options, async ({ device, count, json }) => {
  if (!gc) throw new UsageError("Cannot collect garbage: run it as deno task bench:sessions");
  const libc = openLibc();
  const places: [string, string, Device][] = device === "cpu"
    ? [["onnxruntime-node", "cpu", "cpu"], ["C API, CPU", "ort", "cpu"]]
    : [["C API, CUDA", devices[device].provider, device]];
  const report: Record<string, Record<string, number>[]> = {};
  for (const [name, provider, device] of places) {
    // The first hundred fill caches and pools.
    for (let i = 0; i < Math.min(100, count); i++) await one(provider, device);
    const seen = [await memory(libc, device)];
    for (let quarter = 0; quarter < 4; quarter++) {
      for (let i = 0; i < count / 4; i++) await one(provider, device);
      seen.push(await memory(libc, device));
    }
    report[name] = seen;
  }
  if (json) console.log(JSON.stringify({ machine: await machine(), count, memory: report }));
  else {
    const columns = device === "cpu" ? "resident / in use" : "resident / in use / of the GPU";
    console.log(`MiB ${columns}, before and after each quarter of ${count} sessions and learners`);
    for (const [name, seen] of Object.entries(report)) {
      console.log(`${name.padEnd(20)} ${seen.map((each) => Object.values(each).join(" / ")).join("   ")}`);
    }
  }
});
