/**
 * A process of python/lerobot_bridge as its parent sees it: requests to its stdin, replies and heartbeats from its stdout, a log
 * on its stderr. A message is a uint32, little endian, and that many bytes of one MessagePack map in openpi's encoding of arrays.
 * It ends when its stdin does, so no process outlives the program that started it.
 */
import { isWireArray, pack, unpack, type Wire } from "./msgpack_numpy.ts";

/** How the process is started. */
export interface BridgeCommand {
  /** The interpreter. */
  readonly program: string;
  /** Its arguments; those of the bridge unless a test says others. */
  readonly args?: readonly string[];
  /** Variables beside those of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/** What it can be asked. */
export type RequestKind = "hello" | "open" | "sample" | "close";

/** Milliseconds a request may take, and the process may be silent meanwhile (it should speak each half second). */
export type BridgeDeadlines = Readonly<
  Record<RequestKind, { readonly total: number; readonly silence: number }>
>;

/** Nothing can beat while Python starts; weights of some gigabytes take minutes to load. */
export const bridgeDeadlines: BridgeDeadlines = {
  hello: { total: 300_000, silence: 300_000 },
  open: { total: 1_800_000, silence: 300_000 },
  sample: { total: 600_000, silence: 120_000 },
  close: { total: 2_000, silence: 2_000 },
};

/** A reply: a map of the wire. */
export type Reply = Readonly<Record<string, Wire>>;

/** No message is longer, 1 GiB: a longer one is something that was never meant as one. */
const LONGEST = 2 ** 30;
const KEPT_LINES = 20;
/** Milliseconds to wait for the last words of a process that has ended. */
const DRAIN = 1000;

/** A running process. One request at a time. */
export class BridgeProcess {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #deadlines: BridgeDeadlines;
  readonly #lines: string[] = [];
  readonly #ended: Promise<void>;
  #pending: { readonly id: number; readonly reply: PromiseWithResolvers<Reply> } | undefined;
  #failure: Error | undefined;
  #requests = 0;
  #heard = () => {};

  /**
   * Starts a process.
   *
   * @throws {Error} when the program cannot be started
   */
  constructor({ program, args, env }: BridgeCommand, deadlines: BridgeDeadlines = bridgeDeadlines) {
    this.#deadlines = deadlines;
    try {
      this.#child = new Deno.Command(program, {
        args: [...args ?? ["-u", "-m", "lerobot_bridge"]],
        env: { ...env },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`Cannot start LeRobot with ${program}: ${reason} (run "deno task setup:lerobot")`);
    }
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdin.closed.catch(() => {}); // a process that died is noticed by its end
    const pipes = [this.#log(), this.#replies()];
    this.#ended = this.#child.status.then(async ({ code, signal }) => {
      const { promise: patience, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, DRAIN);
      await Promise.race([Promise.all(pipes), patience]);
      clearTimeout(timer);
      this.#fail(new Error(`Lost the LeRobot process: ${describeEnd({ code, signal, lines: this.#lines })}`));
    });
  }

  /** Number of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Asks for something and waits for the reply.
   *
   * @throws {Error} when it refuses, or when it died, hangs or sends garbage: it is killed then
   */
  async request(kind: RequestKind, fields: Readonly<Record<string, Wire>> = {}): Promise<Reply> {
    if (this.#failure) throw this.#failure;
    if (this.#pending) throw new Error(`Cannot ask for ${kind} while another request runs: await it first`);
    const pending = { id: ++this.#requests, reply: Promise.withResolvers<Reply>() };
    this.#pending = pending;
    const { total, silence } = this.#deadlines[kind];
    const hung = (what: string) => this.#fail(new Error(`Lost the LeRobot process: ${what} ${kind}`));
    const silent = () => hung(`silent for ${silence / 1000} s during`);
    let watch = setTimeout(silent, silence);
    this.#heard = () => {
      clearTimeout(watch);
      watch = setTimeout(silent, silence);
    };
    const deadline = setTimeout(() => hung(`after ${total / 1000} s it was not done with`), total);
    try {
      this.#stdin.write(framed({ id: pending.id, kind, ...fields })).catch(() => {});
      const reply = await pending.reply.promise;
      return reply.ok === true ? reply : this.#refused(reply);
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
    this.#fail(new Error("Cannot ask a LeRobot process that was closed: open another"));
    await this.#ended;
  }

  #refused({ error }: Reply): never {
    const { kind, message } = (error ?? {}) as { kind?: unknown; message?: unknown };
    const said = typeof message === "string" ? message : "it refused without a reason";
    if (kind !== "internal") throw new Error(said);
    // After an exception nobody foresaw (out of memory, say), the process is in an unknown state.
    const lost = new Error(`Lost the LeRobot process: ${describeEnd({ lines: [said] })}`);
    this.#fail(lost);
    throw lost;
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
    let rest = new Uint8Array();
    let parts: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const bytes of this.#child.stdout) {
        this.#heard();
        parts.push(bytes);
        size += bytes.length;
        if (size < 4 || size < needed(parts[0]!)) continue;
        rest = joined(parts, size);
        for (; rest.length >= 4 && rest.length >= needed(rest); rest = rest.subarray(needed(rest))) {
          this.#receive(unpack(rest.slice(4, needed(rest))) as Reply);
        }
        [parts, size] = [rest.length > 0 ? [rest.slice()] : [], rest.length];
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#fail(new Error(`Lost the LeRobot process: garbage instead of a reply (${reason})`));
    }
  }

  #receive(reply: Reply): void {
    if (reply === null || typeof reply !== "object" || isWireArray(reply)) throw new Error("it is no map");
    if (reply.id === 0 && reply.kind === "alive") return;
    if (this.#pending?.id !== reply.id) throw new Error(`an answer to request ${String(reply.id)}`);
    this.#pending!.reply.resolve(reply);
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

/** A message behind its length. */
export function framed(message: Readonly<Record<string, Wire>>): Uint8Array<ArrayBuffer> {
  const body = pack(message);
  const frame = new Uint8Array(4 + body.length);
  new DataView(frame.buffer).setUint32(0, body.length, true);
  frame.set(body, 4);
  return frame;
}

/** Bytes of the message that begins here, its length included; 4 while that is still on its way. */
function needed(bytes: Uint8Array): number {
  if (bytes.length < 4) return 4;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (length > LONGEST) throw new Error(`a message of ${length} bytes`);
  return 4 + length;
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const memory = "probably out of memory: a smaller batch or device takes less";
const causes: readonly (readonly [RegExp, string | ((match: RegExpExecArray) => string)])[] = [
  [/out of memory|MemoryError|bad_alloc|Cannot allocate memory/i, memory],
  [/No module named '?lerobot_bridge/, "the folder python/ of this repository is not whole"],
  [/No module named '?([\w.]+)/, ([, name]) => `package ${name} is missing, run "deno task setup:lerobot"`],
  [/CUDA|cuDNN|NVIDIA driver/, "the GPU cannot be used, see the device"],
];

/** "exit code 1: ModuleNotFoundError: No module named 'torch' (package torch is missing, run ...)". */
export function describeEnd(
  { code, signal, lines }: {
    readonly code?: number;
    readonly signal?: string | null;
    readonly lines: readonly string[];
  },
): string {
  const last = lines.findLast((line) => line.trim() !== "")?.trim().replace(/\.$/, "");
  const how = signal ? `killed by ${signal}` : code === undefined ? "" : `exit code ${code}`;
  const said = [how, last].filter((part) => part).join(": ");
  for (const line of lines.toReversed()) {
    for (const [pattern, mend] of causes) {
      const match = pattern.exec(line);
      if (match) return `${said} (${typeof mend === "string" ? mend : mend(match)})`;
    }
  }
  return signal === "SIGKILL" ? `${said} (${memory})` : said;
}
