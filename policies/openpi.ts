/**
 * A policy that somebody else's server holds, by openpi's websocket protocol (openpi: src/openpi/serving/
 * websocket_policy_server.py): the server greets with a frame of metadata, then answers each frame of an observation with one
 * of actions; an error is a text frame with a traceback, after which it closes. There is no reset, seed or batch in it.
 */
import type { Observation } from "../envs/environment.ts";
import { floats, isWireArray, pack, unpack, type Wire, wireArray } from "./msgpack_numpy.ts";
import { mirrored, resizeWithPad } from "./resize_with_pad.ts";
import { Deadline, Line, Lost, TooLarge } from "./websocket_line.ts";

/** How long to wait, milliseconds. */
export interface Deadlines {
  /** For a connection and the server's greeting, over all attempts. */
  readonly connect: number;
  /** For an answer. A server that compiles its policy first takes minutes for the first one. */
  readonly answer: number;
}

/** Where the server is, and how to talk to it. */
export interface OpenpiOptions {
  /** "ws://host:port" or "wss://host". */
  readonly url: string;
  /** Sent as `Authorization: Api-Key ...`. */
  readonly apiKey?: string | undefined;
  /** A minute for a connection and ten for an answer, unless told. */
  readonly deadlines?: Deadlines;
  /** Hears of connections that were lost and made again. */
  readonly note?: (line: string) => void;
}

/** Metadata or an answer: a map of the wire. */
export type Message = Readonly<Record<string, Wire>>;

/** Pause before the next attempt to connect, milliseconds. */
const PAUSE = 500;
/** Connections that may be lost over one question. */
const ATTEMPTS = 3;

/** A connection to a policy server that comes back by itself. One question at a time. */
export class OpenpiClient {
  readonly #options: Required<Pick<OpenpiOptions, "deadlines" | "note">> & OpenpiOptions;
  #line: Line | undefined;
  #greeting: string;
  #asking = false;
  /** What the server said of itself when it was first reached. */
  readonly metadata: Message;

  private constructor(
    options: Required<Pick<OpenpiOptions, "deadlines" | "note">> & OpenpiOptions,
    line: Line,
    metadata: Message,
  ) {
    this.#options = options;
    this.#line = line;
    this.metadata = metadata;
    this.#greeting = identity(metadata);
  }

  /**
   * Connects, and waits for the server's metadata.
   *
   * @throws {RangeError} when `url` is no websocket address
   * @throws {Error} when the server is not reached by the deadline
   */
  static async connect(options: OpenpiOptions): Promise<OpenpiClient> {
    const { url, deadlines = { connect: 60_000, answer: 600_000 }, note = () => {} } = options;
    if (!/^wss?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
      throw new RangeError(`Cannot use "${url}" as a policy server: write it as ws://host:port`);
    }
    const whole = { ...options, deadlines, note };
    const { line, metadata } = await reach(whole);
    return new OpenpiClient(whole, line, metadata);
  }

  /**
   * The server's answer to an observation. A connection that breaks before the answer is made again, and the question is
   * asked again there.
   *
   * @throws {Error} when the server answers with an error, does not answer by the deadline, is not reached any more, or
   *   another policy answers in its place
   */
  async infer(observation: Message): Promise<Message> {
    if (this.#asking) throw new Error("Cannot ask a policy server twice at once: await the first answer");
    this.#asking = true;
    try {
      const question = pack(observation as Wire);
      for (let lost = 1;; lost++) {
        const line = this.#line ?? await this.#again();
        try {
          return await this.#ask(line, question);
        } catch (error) {
          line.close();
          this.#line = undefined;
          if (error instanceof TooLarge) throw this.#failure(error.message);
          if (!(error instanceof Lost)) throw error;
          if (lost >= ATTEMPTS) {
            throw this.#failure(`${ATTEMPTS} connections in a row broke, the last: ${error.message}`);
          }
          this.#options.note(
            `Lost the policy server at ${this.#options.url}: ${error.message}; asking again`,
          );
        }
      }
    } finally {
      this.#asking = false;
    }
  }

  async #ask(line: Line, question: Uint8Array<ArrayBuffer>): Promise<Message> {
    const { answer } = this.#options.deadlines;
    line.send(question);
    using deadline = new Deadline(answer);
    const reply = await line.receive(deadline);
    if (reply === undefined) throw this.#failure(`no answer within ${answer / 1000} s`);
    if (typeof reply === "string") throw this.#failure(`the server says "${lastLine(reply)}"`);
    try {
      return message(reply);
    } catch (error) {
      throw this.#failure(error instanceof Error ? error.message : String(error));
    }
  }

  async #again(): Promise<Line> {
    const { line, metadata } = await reach(this.#options);
    if (identity(metadata) !== this.#greeting) {
      line.close();
      throw this.#failure("another policy answers there now, its metadata are not the first ones");
    }
    return this.#line = line;
  }

  #failure(reason: string): Error {
    return new Error(`Cannot get actions from ${this.#options.url}: ${reason}`);
  }

  /** Ends the connection. */
  [Symbol.dispose](): void {
    this.#line?.close();
    this.#line = undefined;
  }
}

/** Metadata as text: arrays by their type, shape and bytes, names in order. */
export function identity(metadata: Wire): string {
  return JSON.stringify(plain(metadata));
}

/** Metadata as JSON with sorted names: what stands in keys and documents. */
export function plain(value: Wire): null | boolean | number | string | object {
  if (isWireArray(value)) {
    const { dtype, shape, data } = value;
    return { dtype, shape: [...shape], data: data.toHex() };
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") {
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value as string;
  }
  const entries = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(entries.map(([name, item]) => [name, plain(item)]));
}

/** Tries to connect until the deadline; what time does not mend ends it at once. */
async function reach(
  { url, apiKey, deadlines }: Required<Pick<OpenpiOptions, "deadlines">> & OpenpiOptions,
): Promise<{ line: Line; metadata: Message }> {
  using deadline = new Deadline(deadlines.connect);
  let reason = "it did not greet";
  while (!deadline.over) {
    const line = new Line(url, apiKey);
    try {
      const greeting = await line.receive(deadline);
      if (greeting instanceof Uint8Array) return { line, metadata: message(greeting) };
      line.close();
      if (greeting !== undefined) throw new Error(`it says "${lastLine(greeting)}"`);
    } catch (error) {
      line.close();
      reason = error instanceof Error ? error.message : String(error);
      const refused = /status code: 40[13]/.test(reason);
      if (refused) {
        reason = `it refuses ${apiKey === undefined ? "clients without an API key" : "the API key"}`;
      }
      if (refused || !(error instanceof Lost)) {
        throw new Error(`Cannot use the policy server at ${url}: ${reason}`, { cause: error });
      }
    }
    await deadline.sleep(PAUSE);
  }
  throw new Error(
    `Cannot reach the policy server at ${url} within ${
      deadlines.connect / 1000
    } s (${reason}): start it or name another`,
  );
}

/** A frame that must be a map. */
function message(bytes: Uint8Array): Message {
  let value: Wire;
  try {
    value = unpack(bytes);
  } catch (error) {
    throw new Error(
      `what the policy server sent cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  }
  if (value === null || typeof value !== "object" || Array.isArray(value) || isWireArray(value)) {
    throw new Error("what the policy server sent is no map");
  }
  return value as Message;
}

/** The last line of a traceback: what went wrong. */
const lastLine = (text: string) => text.trim().split("\n").at(-1)!.trim() || "an error without words";

/** Height and width of the pictures that openpi's policies take, pixels. */
const SIDE = 224;

/** The cameras of LIBERO that openpi's policies look through: over the table, and on the wrist. */
export const liberoCameras = ["agentview", "robot0_eye_in_hand"] as const;

/**
 * An observation of LIBERO as openpi's example client sends it (examples/libero/main.py): both pictures turned by 180 degrees
 * as the simulator draws them, which is mirrored beside our upright ones, then fitted into 224 x 224; position, axis-angle and
 * fingers as they are.
 *
 * @param cameras names of the cameras over the table and on the wrist
 * @throws {Error} when the observation lacks one of the pictures
 */
export function liberoObservation(
  observation: Observation,
  language: string,
  [table, wrist]: readonly [string, string] = liberoCameras,
): Message {
  const picture = (camera: string) => {
    const image = observation.images?.[camera];
    if (!image) throw new Error(`Cannot show a policy camera ${camera}: the world was opened without it`);
    const { width, height, data } = resizeWithPad(mirrored(image), SIDE, SIDE);
    return wireArray([height, width, 3], data);
  };
  return {
    "observation/image": picture(table),
    "observation/wrist_image": picture(wrist),
    "observation/state": wireArray([observation.proprioception.length], observation.proprioception),
    prompt: language,
  };
}

/** A chunk of actions, row-major. */
export interface ActionChunk {
  /** Actions H of it. */
  readonly horizon: number;
  /** The actions, [H, A]. */
  readonly actions: Float32Array;
}

/**
 * The chunk in a server's answer.
 *
 * @param width numbers A of an action
 * @throws {Error} when there is none, it is not [H, A], or not all of it is finite
 */
export function actionsOf({ actions }: Message, width: number): ActionChunk {
  if (!isWireArray(actions)) {
    throw new Error('Cannot use the answer of the policy server: it has no array "actions"');
  }
  const [horizon = 0, columns] = actions.shape;
  if (actions.shape.length !== 2 || horizon < 1 || columns !== width) {
    throw new Error(
      `Cannot use the answer of the policy server: its actions have shape [${actions.shape}], wanted [H, ${width}]`,
    );
  }
  const numbers = floats(actions);
  if (!numbers.every(Number.isFinite)) {
    throw new Error("Cannot use the answer of the policy server: not all of its actions are finite numbers");
  }
  return { horizon, actions: numbers };
}
