/** What a person sees on stderr while stages run: one updating line per stage on a terminal, else a line now and then. */
import type { Holder } from "../lab/lock.ts";
import type { Reporter, StageResult } from "../lab/runner.ts";
import type { Progress } from "../lab/stage.ts";

const LINE_MS = 10_000;
const REDRAW_MS = 200;

interface Running {
  readonly since: number;
  first?: Progress;
  last?: Progress;
  printed: number;
}

/** Reports to stderr. Dispose it before printing anything else there. */
export class TerminalReporter implements Reporter {
  readonly #terminal = Deno.stderr.isTerminal();
  readonly #running = new Map<string, Running>();
  #drawn = 0;
  #redrawn = 0;

  started(stage: string): void {
    this.#running.set(stage, { since: performance.now(), printed: performance.now() });
    if (!this.#terminal) this.#line(`${stage}: started`);
    this.#draw(true);
  }

  progress(stage: string, progress: Progress): void {
    const running = this.#running.get(stage);
    if (!running) return;
    running.first ??= progress;
    running.last = progress;
    const now = performance.now();
    if (this.#terminal) return this.#draw(false);
    if (now - running.printed < LINE_MS) return;
    running.printed = now;
    this.#line(describe(stage, running));
  }

  waiting(stage: string, holder: Holder | undefined): void {
    const who = holder ? `process ${holder.pid} (${holder.experiment}/${holder.stage})` : "another process";
    this.note(`${stage}: waiting for ${who}, which is making it`);
  }

  finished({ name, state, seconds, error }: StageResult): void {
    this.#running.delete(name);
    if (state === "failed") this.note(error ?? `Stage "${name}" failed`);
    else if (state === "run") this.note(`${name}: done in ${duration(seconds)}`);
    this.#draw(true);
  }

  note(line: string): void {
    this.#erase();
    this.#line(line);
    this.#draw(true);
  }

  [Symbol.dispose](): void {
    this.#erase();
    this.#running.clear();
  }

  #draw(now: boolean): void {
    if (!this.#terminal || (!now && performance.now() - this.#redrawn < REDRAW_MS)) return;
    this.#erase();
    this.#redrawn = performance.now();
    const width = consoleWidth();
    for (const [stage, running] of this.#running) this.#line(describe(stage, running).slice(0, width - 1));
    this.#drawn = this.#running.size;
  }

  #erase(): void {
    if (this.#drawn > 0) write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #line(line: string): void {
    write(`${line}\n`);
  }
}

/** "residual: 1200/5000 episodes, 24 %, 31/s, 2 min left, success 62 %". */
function describe(stage: string, { since, first, last }: Running): string {
  if (!last || !first) return `${stage}: running for ${duration((performance.now() - since) / 1000)}`;
  const { done, total, unit, success, note } = last;
  const elapsed = (performance.now() - since) / 1000;
  const rate = (done - first.done) / elapsed;
  const parts = [`${done}/${total} ${unit}`, `${Math.floor(100 * done / total)} %`];
  if (rate > 0) parts.push(`${rate.toPrecision(3)}/s`, `${duration((total - done) / rate)} left`);
  if (success !== undefined) parts.push(`success ${(100 * success).toFixed(0)} %`);
  if (note) parts.push(note);
  return `${stage}: ${parts.join(", ")}`;
}

/** Seconds for people: "8 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
}

function write(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

function consoleWidth(): number {
  try {
    return Deno.consoleSize().columns || 100; // 0 where a terminal does not know its size
  } catch {
    return 100;
  }
}
