/**
 * `deno task bench`: every workload on every provider and number of threads, beside the same in Python. All contestants of
 * a workload take turns within every round, so that a slow spell of the machine meets each of them; the ratios are
 * medians over rounds of the provider's time over the peer's.
 *
 * Batches come from the host in every call and are part of the time; those of a peer lie on its device. On the CPU JAX
 * takes every core: where a workload's peer cannot be held to fewer, a line says that it is left out.
 *
 *     deno task bench [WORKLOAD ...] [--device cpu|cuda] [--providers cpu,ort] [--threads 1,2] [--peers PYTHON]
 *                     [--rounds 5] [--json FILE]
 */
import { command, count, device, list, text } from "./command.ts";
import { machine } from "./machine.ts";
import { type Contestant, everyCore, median, peer, race, ratio, timed } from "./race.ts";
import { type Workload, workloads } from "./workloads.ts";
import { type Device, devices } from "../engine/providers/devices.ts";
import { Learner } from "../engine/learner.ts";

/** One contestant's times of a workload. */
interface Row {
  readonly workload: string;
  /** A provider's folder, or what runs a peer. */
  readonly by: string;
  readonly device: Device;
  readonly threads: number;
  /** Median milliseconds of one update. */
  readonly ms: number;
  /** Of a provider: its time over that of each peer. */
  readonly ratios: Readonly<Record<string, number>>;
}

interface Options {
  readonly device: Device;
  readonly providers: readonly string[];
  readonly threads: number;
  readonly peers: string | undefined;
  readonly rounds: number;
}

async function measure(name: string, workload: Workload, options: Options): Promise<Row[]> {
  const { device, providers, threads, rounds } = options;
  const { program, state, batches, updates } = workload.problem();
  const contestants: Record<string, Contestant> = {};
  await using opened = new AsyncDisposableStack();
  for (const provider of providers) {
    const learner = opened.use(await Learner.create(program, state, { provider, device, threads }));
    contestants[provider] = timed(() => learner.update(batches), updates);
  }
  const peers = Object.entries(options.peers === undefined ? {} : workload.peers);
  for (const [label, { script, more, devices, everyCore: atAll }] of peers) {
    if (!devices.includes(device)) {
      console.error(`${label} is left out: ${script}.py does not run on ${device}`);
      continue;
    }
    if (atAll && device === "cpu" && !everyCore(script, threads)) continue;
    contestants[label] = opened.use(await peer(options.peers!, script, threads, updates, more(device)));
  }
  const times = await race(contestants, rounds);
  const others = Object.keys(times).filter((by) => !providers.includes(by));
  return Object.entries(times).map(([by, list]) => ({
    workload: name,
    by,
    device,
    threads,
    ms: median(list),
    ratios: providers.includes(by)
      ? Object.fromEntries(others.map((other) => [other, ratio(list, times[other]!)]))
      : {},
  }));
}

const options = {
  device: device(),
  providers: list(text(), []),
  threads: list(count(2), [2]),
  peers: text(),
  rounds: count(5),
  json: text(),
};

await command(options, async ({ device, threads, peers, rounds, json, ...values }, words) => {
  const usual = device === "cpu" ? ["cpu", "ort"] : [devices[device].provider];
  const providers = values.providers.length > 0 ? values.providers as string[] : usual;
  const rows: Row[] = [];
  for (const name of words.length > 0 ? words : Object.keys(workloads)) {
    const workload = workloads[name]!;
    console.log(workload.title);
    for (const each of threads) {
      for (const row of await measure(name, workload, { device, providers, threads: each, peers, rounds })) {
        rows.push(row);
        const ratios = Object.entries(row.ratios).map(([other, ratio]) => `${ratio.toFixed(3)} x ${other}`);
        const place = `${row.by.padEnd(10)} ${device.padEnd(5)} ${each} thread${each === 1 ? " " : "s"}`;
        console.log(`  ${place} ${row.ms.toFixed(3).padStart(9)} ms   ${ratios.join("   ")}`.trimEnd());
      }
    }
  }
  if (json === undefined) return;
  await Deno.writeTextFile(json, JSON.stringify({ machine: await machine(), rows }, null, 2) + "\n");
}, Object.keys(workloads));
