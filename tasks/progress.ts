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

/** Where the lines go. */
export interface Screen {
  /** Whether lines can be drawn over. */
  readonly terminal: boolean;
  /** Characters of a line. */
  width(): number;
  /** Shows text as it is. */
  write(text: string): void;
}

const stderr: Screen = {
  terminal: Deno.stderr.isTerminal(),
  width: consoleWidth,
  write: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
};

/** Reports to stderr, each stage with its place in the whole run. Dispose it before printing anything else there. */
export class TerminalReporter implements Reporter {
  readonly #total: number;
  readonly #screen: Screen;
  /** Places of stages that began and did not end. */
  readonly #places = new Map<string, number>();
  #begun = 0;
  readonly #running = new Map<string, Running>();
  #drawn = 0;
  #redrawn = 0;

  /** @param total stages of the whole run, those already in the store among them */
  constructor(total: number, screen: Screen = stderr) {
    this.#total = total;
    this.#screen = screen;
  }

  started(stage: string): void {
    this.#running.set(stage, { since: performance.now(), printed: performance.now() });
    if (!this.#screen.terminal) this.#line(`${this.#place(stage)}: started`);
    this.#draw(true);
  }

  progress(stage: string, progress: Progress): void {
    const running = this.#running.get(stage);
    if (!running) return;
    running.first ??= progress;
    running.last = progress;
    const now = performance.now();
    if (this.#screen.terminal) return this.#draw(false);
    if (now - running.printed < LINE_MS) return;
    running.printed = now;
    this.#line(describe(this.#place(stage), running));
  }

  waiting(stage: string, holder: Holder | undefined): void {
    const who = holder ? `process ${holder.pid} (${holder.experiment}/${holder.stage})` : "another process";
    this.note(`${this.#place(stage)}: waiting for ${who}, which is making it`);
  }

  finished({ name, state, seconds, error }: StageResult): void {
    this.#running.delete(name);
    const place = this.#place(name);
    this.#places.delete(name);
    if (state === "failed") this.note(error ?? `Stage "${name}" failed`);
    else if (state === "run") this.note(`${place}: done in ${duration(seconds)}`);
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
    if (!this.#screen.terminal || (!now && performance.now() - this.#redrawn < REDRAW_MS)) return;
    this.#erase();
    this.#redrawn = performance.now();
    const width = this.#screen.width();
    for (const [stage, running] of this.#running) {
      this.#line(describe(this.#place(stage), running).slice(0, width - 1));
    }
    this.#drawn = this.#running.size;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#screen.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #line(line: string): void {
    this.#screen.write(`${line}\n`);
  }

  /** "stage 6 of 13, residual": stages are counted as they begin, or are found in the store. */
  #place(stage: string): string {
    if (!this.#places.has(stage)) this.#places.set(stage, ++this.#begun);
    return `stage ${this.#places.get(stage)} of ${this.#total}, ${stage}`;
  }
}

/** "stage 6 of 13, residual: 1200/5000 episodes, 24 %, 31/s, 2 min left, success 62 %". */
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

function consoleWidth(): number {
  try {
    return Deno.consoleSize().columns || 100; // 0 where a terminal does not know its size
  } catch {
    return 100;
  }
}
