/**
 * Updates on the GPU that are started by a thread of their own. To start hundreds of kernels takes the host half as long as
 * the GPU needs for them: a thread that acts meanwhile cannot also do that.
 */
import type { Launched, Launches } from "./cuda_launches.ts";

/** A thread that starts updates; ONNX Runtime captures graphs for the thread that runs them, so it is always the same. */
export class Launcher implements Disposable {
  readonly #worker = new Worker(new URL("./cuda_launches.ts", import.meta.url), { type: "module" });
  #waiting: PromiseWithResolvers<void> | undefined;

  /** Starts the thread. */
  constructor() {
    this.#worker.onmessage = ({ data: { error } }: MessageEvent<Launched>) => {
      if (error === undefined) this.#waiting?.resolve();
      else this.#waiting?.reject(new Error(error));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#waiting?.reject(
        new Error(`Cannot go on with the GPU: the thread that starts updates died: ${event.message}`),
      );
    };
  }

  /**
   * Starts updates and waits until the GPU is done with them. One call at a time.
   *
   * @throws {Error} with the text of ONNX Runtime or CUDA
   */
  async launch(launches: Launches): Promise<void> {
    this.#waiting = Promise.withResolvers();
    this.#worker.postMessage(launches);
    try {
      await this.#waiting.promise;
    } finally {
      this.#waiting = undefined;
    }
  }

  /** Ends the thread; nothing may be under way. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
