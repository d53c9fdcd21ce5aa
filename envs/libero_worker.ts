/** One simulator process as its parent sees it; python/libero_worker/README.md has the protocol. */
import { type Command, type Deadlines as Limits, WorkerProcess } from "../process/worker_process.ts";
import { describeEnd } from "./libero_diagnosis.ts";
import { encodeFrame, type Frame, type FrameArray, FrameReader } from "./libero_frames.ts";

/** How a simulator process is started. */
export interface WorkerCommand extends Command {
  /** What it runs, and the task that sets it up; LIBERO unless told. */
  readonly simulator?: { readonly name: string; readonly setup: string };
}

/** What a command runs. */
export function simulatorOf({ simulator }: WorkerCommand): { readonly name: string; readonly setup: string } {
  return simulator ?? { name: "LIBERO", setup: "deno task setup:libero" };
}

/** What a process can be asked. */
export type RequestKind = "hello" | "open" | "reset" | "step" | "close";

/** Milliseconds a process may take for a request, and may stay silent during it. */
export type Deadlines = Limits<RequestKind>;

/** Generous for what loads packages and models, short for a step (14 ms, or some 200 ms with cameras). */
export const deadlines: Deadlines = {
  // Nothing can beat while the interpreter starts, and little while packages are imported.
  hello: { total: 90_000, silence: 90_000 },
  open: { total: 180_000, silence: 90_000 },
  reset: { total: 120_000, silence: 30_000 },
  step: { total: 60_000, silence: 15_000 },
  close: { total: 2_000, silence: 2_000 },
};

/** The process died, hangs, or sends garbage. A fresh one may do better. */
export class LostWorker extends Error {
  /** "LostWorker". */
  override name = "LostWorker";
}

/** The process is well and says why it will not: a fresh one would say the same. */
export class Refusal extends Error {
  /** "Refusal". */
  override name = "Refusal";
}

/** A running simulator process. One request at a time. */
export class LiberoWorker extends WorkerProcess<RequestKind, Frame> {
  /**
   * Starts a process.
   *
   * @throws {Refusal} when the program cannot be started
   */
  constructor(command: WorkerCommand, limits: Deadlines = deadlines) {
    super(command, {
      ...simulatorOf(command),
      deadlines: limits,
      reader: new FrameReader(),
      fields: ({ header }) => header,
      describe: describeEnd,
      lost: (what) => new LostWorker(what),
      refused: (why) => new Refusal(why),
      closed: new LostWorker("it was ended by its pool"),
    });
  }

  /**
   * Asks for something and waits for the reply.
   *
   * @throws {LostWorker} when the process died, hangs or sends garbage; it is killed then
   * @throws {Refusal} when it refuses
   */
  override request(
    kind: RequestKind,
    fields: Readonly<Record<string, unknown>> = {},
    arrays: Readonly<Record<string, FrameArray>> = {},
  ): Promise<Frame> {
    return this.ask(kind, (id) => encodeFrame({ id, kind, ...fields }, arrays));
  }
}
