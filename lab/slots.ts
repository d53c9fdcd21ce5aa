/** A counting semaphore, first come first served. */

/** Slots for work done side by side. */
export class Slots {
  #free: number;
  readonly #queue: (() => void)[] = [];

  /**
   * Slots, all free.
   *
   * @param count how many may be taken at once, at least 1
   */
  constructor(count: number) {
    this.#free = count;
  }

  /** Waits for a slot; dispose gives it back, once. */
  async take(): Promise<Disposable> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const next = this.#queue.shift();
        if (next) next();
        else this.#free++;
      },
    };
  }
}
