/**
 * A child process that answers requests, as its parent sees it: requests to its stdin, replies and heartbeats from its stdout,
 * a log on its stderr. What a message looks like is the business of those that extend it; each has an `id`, a request a `kind`,
 * a reply `ok` and, where that is not true, an `error` with a kind and a message. The process ends when its stdin does, so none
 * outlives the program that started it.
 */
import type { End } from "./end.ts";

/** How a process is started. */
export interface Command {
  /** The program. */
  readonly program: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Variables beside those of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/** Milliseconds a request may take, and the process may stay silent during it (it should speak each half second). */
export type Deadlines<Kind extends string> = Readonly<
  Record<Kind | "close", { readonly total: number; readonly silence: number }>
>;

/** What runs, how it speaks, and how its failures are said. */
export interface WorkerOptions<Kind extends string, Message> {
  /** What it is, for messages. */
  readonly name: string;
  /** What sets it up, for messages. */
  readonly setup: string;
  /** Limits by request. */
  readonly deadlines: Deadlines<Kind>;
  /** Cuts what it sends into messages. `push` throws when the bytes are none. */
  readonly reader: { push(bytes: Uint8Array): readonly Message[] };
  /** The fields of a message. */
  readonly fields: (message: Message) => Readonly<Record<string, unknown>>;
  /** The end of the process in words. */
  readonly describe: (end: End) => string;
  /** The error when the process died, hangs or sends garbage: a fresh one may do better. */
  readonly lost: (what: string) => Error;
  /** The error when it says why it will not, or cannot be started: a fresh one would do the same. */
  readonly refused: (why: string) => Error;
  /** The error of requests after its end by `close` or `kill`. */
  readonly closed: Error;
}

/** Lines of the log that are kept to explain an end. */
const KEPT_LINES = 20;
/** Milliseconds to wait for the last words of a process that has ended. */
const DRAIN = 1000;

/** A running process. One request at a time. */
export abstract class WorkerProcess<Kind extends string, Message> {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #options: WorkerOptions<Kind, Message>;
  readonly #lines: string[] = [];
  readonly #ended: Promise<void>;
  #pending: { readonly id: number; readonly reply: PromiseWithResolvers<Message> } | undefined;
  #failure: Error | undefined;
  #requests = 0;
  /** Called whenever something comes from the process. */
  #heard = () => {};

  /**
   * Starts a process.
   *
   * @throws {Error} `refused` when the program cannot be started
   */
  constructor({ program, args, env }: Command, options: WorkerOptions<Kind, Message>) {
    this.#options = options;
    try {
      this.#child = new Deno.Command(program, {
        args: [...args],
        env: { ...env },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      const { name, setup } = options;
      throw options.refused(`Cannot start ${name} with ${program}: ${reasonOf(error)} (run "${setup}")`);
    }
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdin.closed.catch(() => {}); // a process that died is noticed by its end
    const pipes = [this.#log(), this.#replies()];
    this.#ended = this.#child.status.then(async ({ code, signal }) => {
      // The last words explain the end; but who inherited the pipes may hold them open.
      const { promise: patience, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, DRAIN);
      await Promise.race([Promise.all(pipes), patience]);
      clearTimeout(timer);
      this.#lose(options.describe({ code, signal, lines: this.#lines }));
    });
  }

  /** Number of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Asks for something and waits for the reply.
   *
   * @throws {Error} `lost` when the process died, hangs or sends garbage, it is killed then; `refused` when it refuses
   */
  abstract request(kind: Kind | "close"): Promise<Message>;

  /** What `request` does with the bytes of a request, which hold `id` and `kind`. */
  protected async ask(
    kind: Kind | "close",
    encode: (id: number) => Uint8Array<ArrayBuffer>,
  ): Promise<Message> {
    if (this.#failure) throw this.#failure;
    if (this.#pending) throw new Error(`Cannot ask for ${kind} while another request runs: await it first`);
    const pending = { id: ++this.#requests, reply: Promise.withResolvers<Message>() };
    this.#pending = pending;
    const { total, silence } = this.#options.deadlines[kind];
    const silent = () => this.#hung(`silent for ${silence / 1000} s during ${kind}`);
    let watch = setTimeout(silent, silence);
    this.#heard = () => {
      clearTimeout(watch);
      watch = setTimeout(silent, silence);
    };
    const deadline = setTimeout(() => this.#hung(`not done with ${kind} after ${total / 1000} s`), total);
    try {
      this.#stdin.write(encode(pending.id)).catch(() => {});
      const reply = await pending.reply.promise;
      return this.#options.fields(reply).ok === true ? reply : this.#refused(reply);
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
    this.#fail(this.#options.closed);
    await this.#ended;
  }

  #refused(reply: Message): never {
    const { error } = this.#options.fields(reply);
    const { kind, message } = (error ?? {}) as { kind?: unknown; message?: unknown };
    const said = typeof message === "string" ? message : "it refused without a reason";
    if (kind !== "internal") throw this.#options.refused(said);
    // After an exception nobody foresaw (out of memory, say), the process is in an unknown state.
    throw this.#lose(this.#options.describe({ lines: [said] }));
  }

  #hung(what: string): void {
    const last = this.#options.describe({ lines: this.#lines });
    this.#lose(last === "" ? what : `${what}, last said: ${last}`);
  }

  #lose(what: string): Error {
    const error = this.#options.lost(what);
    this.#fail(error);
    return error;
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
    try {
      for await (const bytes of this.#child.stdout) {
        this.#heard();
        for (const message of this.#options.reader.push(bytes)) this.#receive(message);
      }
    } catch (error) {
      this.#lose(`garbage instead of a reply: ${reasonOf(error)}`);
    }
  }

  #receive(message: Message): void {
    const { id, kind } = this.#options.fields(message);
    if (id === 0 && kind === "alive") return;
    const pending = this.#pending;
    if (!pending || pending.id !== id) throw new Error(`an answer to request ${String(id)}`);
    pending.reply.resolve(message);
  }

  async #log(): Promise<void> {
    let rest = "";
    try {
      for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split(/\r?\n/);
        rest = lines.pop()!.slice(-2000);
        this.#lines.push(...lines.slice(-KEPT_LINES));
        this.#lines.splice(0, this.#lines.length - KEPT_LINES);
      }
    } catch {
      // the pipe broke with the process
    }
    if (rest) this.#lines.push(rest);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
