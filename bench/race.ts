/** Contestants that take turns, and peers in Python among them: what the benchmarks share. */

/** Something timed: runs once and returns its milliseconds. */
export type Contestant = () => Promise<number>;

/** A Python process that times itself. */
export type Peer = Contestant & {
  /** Ends the process. */
  end(): Promise<void>;
};

/**
 * Starts peers/SCRIPT.py. It prints "ready"; then, for each line with a number n, the mean milliseconds of n runs.
 *
 * @throws {Error} when it ends early
 */
export async function peer(
  python: string,
  script: string,
  threads: number,
  runs: number,
  more: readonly string[] = [],
): Promise<Peer> {
  const path = new URL(`./peers/${script}.py`, import.meta.url).pathname;
  const process = new Deno.Command(python, {
    args: [path, String(threads), ...more],
    stdin: "piped",
    stdout: "piped",
  })
    .spawn();
  const lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const input = process.stdin.getWriter();
  let buffer = "";
  const line = async () => {
    while (!buffer.includes("\n")) {
      const { value, done } = await lines.read();
      if (done) throw new Error(`Cannot time ${script}.py: it ended early`);
      buffer += value;
    }
    const [first, ...rest] = buffer.split("\n");
    buffer = rest.join("\n");
    return first!;
  };
  if (await line() !== "ready") throw new Error(`Cannot time ${script}.py: it did not say it was ready`);
  const run = async () => {
    await input.write(new TextEncoder().encode(`${runs}\n`));
    return Number(await line());
  };
  return Object.assign(run, {
    end: async () => {
      await input.close();
      await process.status;
    },
  });
}

/** The middle of the sorted numbers, or the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

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
      const ms = await run();
      if (round >= 0) times[name]!.push(ms);
    }
  }
  return times;
}
