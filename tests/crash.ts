/**
 * Kills runs of an experiment with signal 9 at random instants, resumes them, and checks that every one ends in the
 * result of a run left alone, with a clean store.
 *
 *     deno run -A tests/crash.ts pld-tabletop --runs 50 -- --preset smoke
 */
import { parseArgs } from "node:util";
import { stream } from "../random.ts";
import { type Ended, start } from "./lab_command.ts";

/** What to kill, and how often. */
export interface CrashOptions {
  readonly experiment: string;
  readonly runs: number;
  /** Names the random instants. */
  readonly seed: number;
  /** More arguments of `exp run`, e.g. `--preset smoke`. */
  readonly args: readonly string[];
  /** Lines about each run. */
  readonly log: (line: string) => void;
}

/** What became of the runs. */
export interface CrashResult {
  /** Result hash of the run left alone. */
  readonly result: string;
  readonly kills: number;
  /** Kills that left a checkpoint behind: only these show that resuming works. */
  readonly resumed: number;
  readonly failures: readonly string[];
}

/** Runs an experiment once undisturbed, then `runs` times with one to three kills each. */
export async function crash(options: CrashOptions): Promise<CrashResult> {
  const { experiment, runs, seed, args, log } = options;
  const folder = await Deno.makeTempDir({ prefix: "uplift-crash-" });
  const command = (store: string) => {
    const own = ["--json", "--checkpoint-seconds", "0.1", "--store", store];
    return ["run", experiment, ...own, ...args];
  };
  const failures: string[] = [];
  let [kills, resumed] = [0, 0];
  try {
    const started = performance.now();
    const alone = await endOf(command(`${folder}/alone`));
    let duration = performance.now() - started;
    if (alone.code !== 0) throw new Error(`Cannot run ${experiment} undisturbed: ${alone.stderr.trim()}`);
    const { result } = JSON.parse(alone.stdout);
    log(`undisturbed: ${result} in ${(duration / 1000).toFixed(1)} s`);
    for (let i = 0; i < runs; i++) {
      const store = `${folder}/run-${i}`;
      const draws = stream(seed, "crash", i);
      const instants: number[] = [];
      for (let wanted = 1 + draws.integer(3); wanted > 0;) {
        const after = draws.uniform(0, duration);
        const before = performance.now();
        if (await endOf(command(store), after).then(({ code }) => code === 0)) {
          // It was faster. A run counts only with a kill, so it starts anew, and the next kills come sooner.
          if (instants.length > 0) break;
          duration = Math.min(duration, performance.now() - before);
          await Deno.remove(store, { recursive: true });
          continue;
        }
        wanted--;
        instants.push(Math.round(after));
        if (await hasCheckpoint(store)) resumed++;
        const check = await endOf(["fsck", "--store", store]);
        if (check.code !== 0) {
          failures.push(`run ${i} after a kill at ${Math.round(after)} ms: ${check.stdout.trim()}`);
        }
      }
      kills += instants.length;
      const last = await endOf(command(store));
      const check = await endOf(["fsck", "--store", store]);
      const now = last.code === 0 ? JSON.parse(last.stdout).result : last.stderr.trim();
      if (now !== result) failures.push(`run ${i}, killed at ${instants} ms: ended in ${now}`);
      if (check.code !== 0) failures.push(`run ${i}, killed at ${instants} ms: ${check.stdout.trim()}`);
      log(`run ${i}: killed at ${instants.join(", ")} ms, ${now === result ? "same result" : "DIFFERENT"}`);
      await Deno.remove(store, { recursive: true });
    }
    return { result, kills, resumed, failures };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the command to its end, or kills it after some milliseconds. */
async function endOf(args: readonly string[], killAfter?: number): Promise<Ended> {
  const running = start(args);
  const timer = killAfter === undefined ? undefined : setTimeout(() => running.kill("SIGKILL"), killAfter);
  const ended = await running.ended;
  clearTimeout(timer);
  return ended;
}

async function hasCheckpoint(store: string): Promise<boolean> {
  try {
    for await (const _ of Deno.readDir(`${store}/checkpoints`)) return true;
  } catch {
    // None was written yet.
  }
  return false;
}

if (import.meta.main) {
  const dashes = Deno.args.indexOf("--");
  const own = dashes < 0 ? Deno.args : Deno.args.slice(0, dashes);
  const { positionals, values } = parseArgs({
    args: own,
    allowPositionals: true,
    options: { runs: { type: "string", default: "50" }, seed: { type: "string", default: "0" } },
  });
  const [experiment] = positionals;
  if (!experiment) {
    console.error("Usage: crash.ts EXPERIMENT [--runs N] [--seed N] [-- arguments of exp run]");
    Deno.exit(2);
  }
  const { kills, resumed, failures } = await crash({
    experiment,
    runs: Number(values.runs),
    seed: Number(values.seed),
    args: dashes < 0 ? [] : Deno.args.slice(dashes + 1),
    log: (line) => console.error(line),
  });
  for (const failure of failures) console.error(failure);
  console.error(
    `${values.runs} runs, ${kills} kills, ${resumed} with a checkpoint, ${failures.length} failures`,
  );
  Deno.exit(failures.length === 0 ? 0 : 1);
}
