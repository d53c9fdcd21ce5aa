/** Harm for simulator processes, at random but repeatable: what pools must survive without a trace in their results. */
import type { WorkerCommand } from "../envs/libero_worker.ts";
import type { LiberoPool } from "../envs/libero_pool.ts";
import type { InitialState, Step } from "../envs/environment.ts";
import { type Stream, stream } from "../random.ts";

/** Ways to harm a process. */
export const harms = ["kill", "freeze", "garbage", "die at import"] as const;

/** A command whose processes are counted and can be made to die at import. */
export interface HarmedCommand extends AsyncDisposable {
  /** Starts a process. */
  readonly command: WorkerCommand;
  /** Numbers of all processes that were started. */
  pids(): Promise<number[]>;
  /** The next process that starts dies at once, as from a broken installation. */
  breakNext(): Promise<void>;
}

/** Wraps a command in a shell that notes the process's number and becomes it. */
export async function harmed({ program, args, env }: WorkerCommand): Promise<HarmedCommand> {
  const folder = await Deno.makeTempDir({ prefix: "uplift-harm-" });
  const script = `
    echo $$ >> "$HARM/pids"
    if mv "$HARM/break" "$HARM/broken.$$" 2> /dev/null; then
      echo "ModuleNotFoundError: No module named 'mujoco'" >&2
      exit 1
    fi
    exec "$@"`;
  return {
    command: { program: "sh", args: ["-c", script, "sh", program, ...args], env: { ...env, HARM: folder } },
    async pids() {
      return (await Deno.readTextFile(`${folder}/pids`)).trim().split("\n").map(Number);
    },
    breakNext: () => Deno.writeTextFile(`${folder}/break`, ""),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** Harms a process; what is gone already cannot be harmed. */
export async function harm(
  how: typeof harms[number],
  pid: number,
  command: HarmedCommand,
): Promise<void> {
  try {
    if (how === "freeze") Deno.kill(pid, "SIGSTOP");
    else if (how === "garbage") await babble(pid);
    else {
      if (how === "die at import") await command.breakNext();
      Deno.kill(pid, "SIGKILL");
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && !/ESRCH|os error 3\b/.test(String(error))) throw error;
  }
}

/** Writes into the pipe that carries a process's replies, as a stray print would. Linux only. */
async function babble(pid: number): Promise<void> {
  const text = new TextEncoder().encode("Traceback (most recent call last): nonsense\n".repeat(3));
  const log = await Deno.readLink(`/proc/${pid}/fd/2`);
  const seen = new Set([log, await Deno.readLink(`/proc/${pid}/fd/0`)]);
  for (let fd = 1; fd < 16; fd++) {
    const pipe = await Deno.readLink(`/proc/${pid}/fd/${fd}`).catch(() => "");
    if (!pipe.startsWith("pipe:") || seen.has(pipe)) continue;
    seen.add(pipe);
    const flags = /flags:\s*0*(\d+)/.exec(await Deno.readTextFile(`/proc/${pid}/fdinfo/${fd}`))?.[1] ?? "";
    if (!flags.endsWith("1")) continue; // not the writing end
    using file = await Deno.open(`/proc/${pid}/fd/${fd}`, { write: true });
    file.writeSync(text);
    return;
  }
  throw new Deno.errors.NotFound(`no reply pipe in process ${pid}`);
}

/** Whether a process is there (a zombie is not). */
export async function alive(pid: number): Promise<boolean> {
  const status = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => undefined);
  return status !== undefined && !/\) Z /.test(status);
}

/** An episode to play: its key, and actions from a stream of its own. */
export interface Played {
  readonly task: string;
  readonly state: InitialState;
}

/**
 * Plays episodes to their ends, lane i the i-th, then the next ones, and returns each episode's steps. Before a step,
 * `disturb` may do harm.
 */
export async function play(
  pool: LiberoPool,
  lanes: number,
  episodes: readonly Played[],
  { length, disturb = () => Promise.resolve() }: {
    readonly length: number;
    readonly disturb?: ((step: number) => Promise<void>) | undefined;
  },
): Promise<Step[][]> {
  const steps: Step[][] = episodes.map(() => []);
  const running: (number | undefined)[] = Array(lanes).fill(undefined);
  const actions: Stream[] = episodes.map((_, i) => stream(1, "played", i));
  let next = 0;
  for (let step = 0;; step++) {
    for (const [lane, episode] of running.entries()) {
      if (episode !== undefined || next >= episodes.length) continue;
      running[lane] = next;
      const { task, state } = episodes[next++]!;
      await pool.reset(lane, task, state);
    }
    if (running.every((episode) => episode === undefined)) return steps;
    await disturb(step);
    const taken = await pool.step(
      running.map((episode) =>
        episode === undefined ? undefined : actions[episode]!.fillUniform(new Float32Array(7), -1.2, 1.2)
      ),
    );
    for (const [lane, result] of taken.entries()) {
      if (!result) continue;
      const episode = running[lane]!;
      steps[episode]!.push(result);
      if (result.terminated || result.truncated || steps[episode]!.length >= length) {
        running[lane] = undefined;
      }
    }
  }
}
