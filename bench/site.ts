/**
 * Times of the results browser on a store of many experiments, each with its own table of metrics and its report: the
 * first page after a start, pages after it, and the memory of the server's process. Run it on an idle machine.
 *
 *     deno run -A bench/site.ts [--experiments 1000] [--points 1000] [--json]
 */
import { join } from "node:path";
import { command, count, flag } from "./command.ts";
import { machine } from "./machine.ts";
import { median } from "./race.ts";
import { Reader } from "../results/site/reader.ts";
import { reportOf, viewRun } from "../results/site/run_view.ts";
import { addRun, trialStore } from "../tests/trial_store.ts";

const options = { experiments: count(1000), points: count(1000), json: flag() };

await command(options, async ({ experiments, points, json }) => {
  using at = trialStore();
  for (let i = 0; i < experiments; i++) {
    const definition = (i + 0x10000).toString(16);
    const { definition: made } = addRun(at.store, {
      experiment: `trial-${i % 7}`,
      definition,
      seed: 0,
      points,
      rates: [0.25, (i % 20) / 20],
    });
    const reader = new Reader(at.directory);
    const view = viewRun(reader, made, 0);
    if (view === "missing" || view === "damaged") throw new Error(`Cannot bench: run ${made} is ${view}`);
    const folder = join(at.directory, "reports", `${made}-0`);
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(join(folder, "report.json"), JSON.stringify(reportOf(reader, view)));
  }

  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("../tasks/exp.ts", import.meta.url).pathname, "serve"]
      .concat("--port", "0", "--json", "--store", at.directory),
    stdout: "piped",
  }).spawn();
  await using running = new AsyncDisposableStack();
  running.defer(async () => {
    try {
      server.kill("SIGTERM");
    } catch {
      // it has ended
    }
    await server.status;
  });
  const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { url } = JSON.parse((await reader.read()).value ?? "{}") as { url: string };

  /** Milliseconds that a page takes, read to its end. */
  async function time(path: string): Promise<number> {
    const start = performance.now();
    const answer = await fetch(new URL(path, url));
    await answer.text();
    if (!answer.ok) throw new Error(`Cannot bench ${path}: the server answers ${answer.status}`);
    return performance.now() - start;
  }

  const first = await time("/");
  const definition = (0x10000).toString(16).repeat(64).slice(0, 64);
  const paths = {
    "list": (i: number) => `/?sort=uplift&page=${1 + (i % 20)}`,
    "list, filtered": (i: number) => `/?experiment=trial-${i % 7}&sort=created`,
    "experiment": () => `/experiments/${definition}`,
    "curves": () => `/experiments/${definition}/curves.json`,
  };
  const pages: Record<string, { readonly median: number; readonly worst: number }> = {};
  for (const [name, path] of Object.entries(paths)) {
    const times: number[] = [];
    for (let i = 0; i < 20; i++) times.push(await time(path(i)));
    pages[name] = { median: median(times), worst: Math.max(...times) };
  }
  const resident = /VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${server.pid}/status`))?.[1];
  const memory = Number(resident) / 1024;
  await reader.cancel();

  if (json) {
    console.log(
      JSON.stringify({ machine: await machine(), experiments, points, first, pages, memory }, null, 2),
    );
  } else {
    console.log(`${experiments} experiments of ${points} points`);
    console.log(`first page   ${first.toFixed(0)} ms`);
    for (const [name, { median, worst }] of Object.entries(pages)) {
      console.log(`${name}: median ${median.toFixed(0)} ms, worst ${worst.toFixed(0)} ms`);
    }
    console.log(`memory       ${memory.toFixed(0)} MiB`);
  }
});
