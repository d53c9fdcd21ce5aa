/** Contestants that take turns, and peers in Python among them: what the benchmarks share. */

/** Something timed: runs once and returns its milliseconds. */
export type Contestant = () => Promise<number>;

/** A Python process that times itself; disposing ends it. */
export type Peer = Contestant & AsyncDisposable;

/**
 * Starts peers/SCRIPT.py. It prints "ready"; then, for each line with a number n, the mean milliseconds of n runs.
 *
 * @throws {Error} when it cannot be started or ends early, with the last line that it said
 */
export async function peer(
  python: string,
  script: string,
  threads: number,
  runs: number,
  more: readonly string[] = [],
): Promise<Peer> {
  const path = new URL(`./peers/${script}.py`, import.meta.url).pathname;
  const process = start(python, [path, String(threads), ...more]);
  const lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const said = new Response(process.stderr).text();
  const input = process.stdin.getWriter();
  let buffer = "";
  const line = async () => {
    while (!buffer.includes("\n")) {
      const { value, done } = await lines.read();
      if (done) {
        const reason = (await said).trim().split("\n").at(-1) || "it ended early";
        throw new Error(`Cannot time ${script}.py: ${reason}`);
      }
      buffer += value;
    }
    const [first, ...rest] = buffer.split("\n");
    buffer = rest.join("\n");
    return first!;
  };
  const end = async () => {
    await input.close().catch(() => {}); // it may have ended before
    await lines.cancel();
    await process.status;
  };
  try {
    const first = await line();
    if (first !== "ready") throw new Error(`Cannot time ${script}.py: it says "${first}" instead of "ready"`);
  } catch (error) {
    await end();
    throw error;
  }
  const run = async () => {
    await input.write(new TextEncoder().encode(`${runs}\n`)).catch(() => {}); // an early end shows in what it says
    const answer = await line();
    if (!(Number(answer) > 0)) {
      throw new Error(`Cannot time ${script}.py: it says "${answer}" instead of a time`);
    }
    return Number(answer);
  };
  return Object.assign(run, { [Symbol.asyncDispose]: end });
}

/** Whether a peer that takes every core may race on so many threads; where it may not, a line on stderr says so. */
export function everyCore(script: string, threads: number): boolean {
  const cores = navigator.hardwareConcurrency;
  if (threads === cores) return true;
  console.error(`${script}.py is left out on ${threads} of ${cores} threads: it takes every core`);
  return false;
}

function start(python: string, args: string[]) {
  try {
    return new Deno.Command(python, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  } catch {
    throw new Error(`Cannot start ${python}: it must be a Python that has the peers' packages`);
  }
}

/** Times `run`, which does `count` of what is timed: milliseconds of one. */
export function timed(run: () => Promise<unknown>, count = 1): Contestant {
  return async () => {
    const start = performance.now();
    await run();
    return (performance.now() - start) / count;
  };
}

/** The middle of the sorted numbers, or the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/** The median over rounds of one contestant's time over another's. */
export function ratio(times: readonly number[], others: readonly number[]): number {
  return median(times.map((ms, round) => ms / others[round]!));
}

/** Milliseconds before each turn: threads of the one before, in this process or a peer's, go on spinning for a while. */
const REST = 200;

/** Milliseconds by contestant and round: all run once in every round, after one round to warm up. */
export async function race(
  contestants: Readonly<Record<string, Contestant>>,
  rounds: number,
): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = Object.fromEntries(
    Object.keys(contestants).map((name) => [name, []]),
  );
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      await new Promise((resolve) => setTimeout(resolve, REST));
      const ms = await run();
      if (round >= 0) times[name]!.push(ms);
    }
  }
  return times;
}
