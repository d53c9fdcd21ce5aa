/**
 * A process of python/lerobot_bridge as its parent sees it. A message is a uint32, little endian, and that many bytes of one
 * MessagePack map in openpi's encoding of arrays.
 */
import { type Command, type Deadlines, WorkerProcess } from "../process/worker_process.ts";
import { describeEnd } from "./lerobot_diagnosis.ts";
import { isWireArray, pack, unpack, type Wire } from "./msgpack_numpy.ts";

/** How the process is started. */
export interface BridgeCommand extends Omit<Command, "args"> {
  /** Its arguments; those of the bridge unless a test says others. */
  readonly args?: readonly string[];
}

/** What it can be asked. */
export type RequestKind = "hello" | "open" | "sample" | "close";

/** Milliseconds a request may take, and the process may be silent meanwhile. */
export type BridgeDeadlines = Deadlines<RequestKind>;

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

/** A running process. One request at a time. */
export class BridgeProcess extends WorkerProcess<RequestKind, Reply> {
  /**
   * Starts a process.
   *
   * @throws {Error} when the program cannot be started
   */
  constructor({ program, args, env }: BridgeCommand, deadlines: BridgeDeadlines = bridgeDeadlines) {
    super({ program, args: args ?? ["-u", "-m", "lerobot_bridge"], env }, {
      name: "LeRobot",
      setup: "deno task setup:lerobot",
      deadlines,
      reader: new ReplyReader(),
      fields: (reply) => reply,
      describe: describeEnd,
      lost: (what) => new Error(`Lost the LeRobot process: ${what}`),
      refused: (why) => new Error(why),
      closed: new Error("Cannot ask a LeRobot process that was closed: open another"),
    });
  }

  /**
   * Asks for something and waits for the reply.
   *
   * @throws {Error} when it refuses, or when it died, hangs or sends garbage: it is killed then
   */
  override request(kind: RequestKind, fields: Readonly<Record<string, Wire>> = {}): Promise<Reply> {
    return this.ask(kind, (id) => framed({ id, kind, ...fields }));
  }
}

/** Cuts a stream of bytes into replies. */
class ReplyReader {
  #parts: Uint8Array[] = [];
  #size = 0;

  /**
   * Takes the next bytes.
   *
   * @returns the replies that are complete now
   * @throws {Error} when the bytes are none
   */
  push(bytes: Uint8Array): Reply[] {
    this.#parts.push(bytes);
    this.#size += bytes.length;
    // Joined once a message is complete: one of many megabytes comes in thousands of pieces.
    if (this.#size < 4 || this.#size < needed(this.#parts[0]!)) return [];
    const replies: Reply[] = [];
    let rest = joined(this.#parts, this.#size);
    for (; rest.length >= 4 && rest.length >= needed(rest); rest = rest.subarray(needed(rest))) {
      replies.push(replyOf(unpack(rest.slice(4, needed(rest)))));
    }
    this.#parts = rest.length > 0 ? [rest.slice()] : [];
    this.#size = rest.length;
    return replies;
  }
}

function replyOf(message: Wire): Reply {
  if (message === null || typeof message !== "object" || isWireArray(message)) {
    throw new Error("it is no map");
  }
  return message as Reply;
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
