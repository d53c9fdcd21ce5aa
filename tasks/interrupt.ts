/** Ctrl-C: the first asks stages to stop at a checkpoint; the second, or the end of their grace, ends them. */

// How long a stage may take to write its checkpoint once the run is being stopped.
const GRACE_MS = 15_000;
const SIGNALS: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** Listens for signals until disposed. */
export class Interrupt {
  /** One Int32: 1 once the run is being stopped. */
  readonly flag = new SharedArrayBuffer(4);
  readonly #controller = new AbortController();
  readonly #listener = () => this.#stop();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    for (const signal of SIGNALS) Deno.addSignalListener(signal, this.#listener);
  }

  /** Aborted when stages must end at once. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get happened(): boolean {
    return Atomics.load(new Int32Array(this.flag), 0) !== 0;
  }

  #stop(): void {
    if (this.happened) return this.#controller.abort();
    Atomics.store(new Int32Array(this.flag), 0, 1);
    this.#timer = setTimeout(() => this.#controller.abort(), GRACE_MS);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, this.#listener);
  }
}
