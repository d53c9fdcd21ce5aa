/**
 * One simulator process as its parent sees it: requests to its stdin, replies and heartbeats from its stdout, a log on
 * its stderr (python/libero_worker/README.md has the protocol). It ends when its stdin does, so no process outlives the
 * program that started it.
 */
import { describeEnd } from "./libero_diagnosis.ts";
import { encodeFrame, type Frame, type FrameArray, FrameReader } from "./libero_frames.ts";

/** How a simulator process is started. */
export interface WorkerCommand {
  /** The interpreter. */
  readonly program: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Variables beside those of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** What it runs, and the task that sets it up; LIBERO unless told. */
  readonly simulator?: { readonly name: string; readonly setup: string };
}

/** What a command runs. */
export function simulatorOf({ simulator }: WorkerCommand): { readonly name: string; readonly setup: string } {
  return simulator ?? { name: "LIBERO", setup: "deno task setup:libero" };
}

/** What a process can be asked. */
export type RequestKind = "hello" | "open" | "reset" | "step" | "close";

/** Milliseconds a process may take for a request, and may stay silent during it (it should speak each half second). */
export type Deadlines = Readonly<Record<RequestKind, { readonly total: number; readonly silence: number }>>;

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

const keptLines = 20;
/** Milliseconds to wait for the last words of a process that has ended. */
const drainMs = 1000;

interface Pending {
  readonly id: number;
  readonly reply: PromiseWithResolvers<Frame>;
}

/** A running simulator process. One request at a time. */
export class LiberoWorker {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #deadlines: Deadlines;
  readonly #lines: string[] = [];
  readonly #ended: Promise<void>;
  #pending: Pending | undefined;
  #failure: Error | undefined;
  #requests = 0;
  /** Called whenever something comes from the process. */
  #heard = () => {};

  /**
   * Starts a process.
   *
   * @throws {Error} when the program cannot be started
   */
  constructor(command: WorkerCommand, limits: Deadlines = deadlines) {
    const { program, args, env } = command;
    this.#deadlines = limits;
    try {
      this.#child = new Deno.Command(program, {
        args: [...args],
        env: { ...env },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const { name, setup } = simulatorOf(command);
      throw new Refusal(`Cannot start ${name} with ${program}: ${reason} (run "${setup}")`);
    }
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdin.closed.catch(() => {}); // a process that died is noticed by its end
    const log = this.#log();
    const replies = this.#replies();
    this.#ended = this.#child.status.then(async ({ code, signal }) => {
      // The last words explain the end; but who inherited the pipes may hold them open.
      const { promise: patience, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, drainMs);
      await Promise.race([Promise.all([log, replies]), patience]);
      clearTimeout(timer);
      this.#fail(new LostWorker(describeEnd({ code, signal, lines: this.#lines })));
    });
  }

  /** Number of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Asks for something and waits for the reply.
   *
   * @throws {LostWorker} when the process died, hangs or sends garbage; it is killed then
   * @throws {Refusal} when it refuses
   */
  async request(
    kind: RequestKind,
    fields: Readonly<Record<string, unknown>> = {},
    arrays: Readonly<Record<string, FrameArray>> = {},
  ): Promise<Frame> {
    if (this.#failure) throw this.#failure;
    if (this.#pending) throw new Error(`Cannot ask for ${kind} while another request runs: await it first`);
    const pending = { id: ++this.#requests, reply: Promise.withResolvers<Frame>() };
    this.#pending = pending;
    const { total, silence } = this.#deadlines[kind];
    const silent = () =>
      this.#fail(new LostWorker(this.#hung(`silent for ${silence / 1000} s during ${kind}`)));
    let watch = setTimeout(silent, silence);
    this.#heard = () => {
      clearTimeout(watch);
      watch = setTimeout(silent, silence);
    };
    const deadline = setTimeout(() => {
      this.#fail(new LostWorker(this.#hung(`not done with ${kind} after ${total / 1000} s`)));
    }, total);
    try {
      this.#stdin.write(encodeFrame({ id: pending.id, kind, ...fields }, arrays)).catch(() => {});
      const frame = await pending.reply.promise;
      return frame.header.ok === true ? frame : this.#refused(frame);
    } finally {
      this.#heard = () => {};
      clearTimeout(watch);
      clearTimeout(deadline);
      this.#pending = undefined;
    }
  }

  /** Ends the process: asks first, then kills. Nothing is left of it once this resolves. */
  async close(): Promise<void> {
    if (!this.#failure && !this.#pending) await this.request("close").catch(() => {});
    await this.kill();
  }

  /** Kills the process, however it fares, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#fail(new LostWorker("it was ended by its pool"));
    await this.#ended;
  }

  #refused({ header }: Frame): never {
    const { kind, message } = (header.error ?? {}) as { kind?: unknown; message?: unknown };
    const said = typeof message === "string" ? message : "it refused without a reason";
    // After an exception nobody foresaw (out of memory, say), the process is in an unknown state.
    if (kind !== "internal") throw new Refusal(said);
    const lost = new LostWorker(describeEnd({ lines: [said] }));
    this.#fail(lost);
    throw lost;
  }

  #hung(what: string): string {
    const last = describeEnd({ lines: this.#lines });
    return last === "" ? what : `${what}, last said: ${last}`;
  }

  /** Rejects what waits, now and later, and kills the process: SIGKILL also ends a stopped one. */
  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#pending?.reply.reject(error);
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
    this.#stdin.close().catch(() => {});
  }

  async #replies(): Promise<void> {
    const reader = new FrameReader();
    try {
      for await (const bytes of this.#child.stdout) {
        this.#heard();
        for (const frame of reader.push(bytes)) this.#receive(frame);
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#fail(new LostWorker(`garbage instead of a reply: ${reason}`));
    }
  }

  #receive(frame: Frame): void {
    const { id, kind } = frame.header;
    if (id === 0 && kind === "alive") return;
    if (this.#pending && this.#pending.id === id) return this.#pending.reply.resolve(frame);
    this.#fail(new LostWorker(`garbage instead of a reply: an answer to request ${id}`));
  }

  async #log(): Promise<void> {
    let rest = "";
    try {
      for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split(/\r?\n/);
        rest = lines.pop()!.slice(-2000);
        this.#lines.push(...lines.slice(-keptLines));
        this.#lines.splice(0, this.#lines.length - keptLines);
      }
    } catch {
      // the pipe broke with the process
    }
    if (rest) this.#lines.push(rest);
  }
}
