/**
 * `deno task bench`: every workload on every provider and number of threads, beside the same in Python. All contestants of
 * a workload take turns within every round, so that a slow spell of the machine meets each of them; the ratios are
 * medians over rounds of the provider's time over the peer's.
 *
 *     deno task bench [WORKLOAD ...] [--device cpu|cuda] [--providers cpu,ort] [--threads 1,2] [--peers PYTHON]
 *                     [--rounds 5] [--json FILE]
 */
import { parseArgs } from "node:util";
import { type Contestant, median, type Peer, peer, race } from "./race.ts";
import { type Workload, workloads } from "./workloads.ts";
import type { Device } from "../engine/providers/devices.ts";
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
  const learners: Learner[] = [];
  const peers: Peer[] = [];
  try {
    for (const provider of providers) {
      const learner = await Learner.create(program, state, { provider, device, threads });
      learners.push(learner);
      contestants[provider] = async () => {
        const start = performance.now();
        await learner.update(batches);
        return (performance.now() - start) / updates;
      };
    }
    const scripts = Object.entries(options.peers === undefined ? {} : workload.peers);
    for (const [label, { script, more, devices }] of scripts) {
      // JAX takes every core; on fewer it is no peer.
      const fair = label !== "JAX" || device !== "cpu" || threads === navigator.hardwareConcurrency;
      if (!fair || !devices.includes(device)) continue;
      const process = await peer(options.peers!, script, threads, updates, more(device));
      peers.push(process);
      contestants[label] = process;
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
        ? Object.fromEntries(
          others.map((other) => [other, median(list.map((ms, round) => ms / times[other]![round]!))]),
        )
        : {},
    }));
  } finally {
    for (const process of peers) await process.end();
    for (const learner of learners) await learner[Symbol.asyncDispose]();
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      device: { type: "string", default: "cpu" },
      providers: { type: "string" },
      threads: { type: "string", default: "2" },
      peers: { type: "string" },
      rounds: { type: "string", default: "5" },
      json: { type: "string" },
    },
  });
  const device = values.device as Device;
  const providers = (values.providers ?? (device === "cpu" ? "cpu,ort" : "ort")).split(",");
  const rows: Row[] = [];
  for (const name of positionals.length > 0 ? positionals : Object.keys(workloads)) {
    const workload = workloads[name];
    if (!workload) {
      throw new Error(`Cannot time "${name}": the workloads are ${Object.keys(workloads).join(", ")}`);
    }
    console.log(workload.title);
    for (const threads of values.threads.split(",").map(Number)) {
      const options = { device, providers, threads, peers: values.peers, rounds: Number(values.rounds) };
      for (const row of await measure(name, workload, options)) {
        rows.push(row);
        const ratios = Object.entries(row.ratios).map(([other, ratio]) => `${ratio.toFixed(3)} x ${other}`);
        const place = `${row.by.padEnd(10)} ${device.padEnd(5)} ${threads} thread${
          threads === 1 ? " " : "s"
        }`;
        console.log(`  ${place} ${row.ms.toFixed(3).padStart(9)} ms   ${ratios.join("   ")}`.trimEnd());
      }
    }
  }
  if (values.json !== undefined) {
    const { deno, v8 } = Deno.version;
    const machine = { os: Deno.build.os, arch: Deno.build.arch, cores: navigator.hardwareConcurrency };
    await Deno.writeTextFile(values.json, JSON.stringify({ deno, v8, machine, rows }, null, 2) + "\n");
  }
}

await main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
});
Deno.exit(0); // not through the exit handlers of CUDA's libraries
