/** One websocket connection, and deadlines for what comes over it. */

/** The other side did not answer on this connection: it may on another. */
export class Lost extends Error {}

/** The other side sent more than the runtime reads; on another connection it would again. */
export class TooLarge extends Error {}

/** A clock that runs out once. */
export class Deadline {
  /** Whether it ran out. */
  over = false;
  /** Resolves when it runs out. */
  readonly passed: Promise<undefined>;
  readonly #timer: ReturnType<typeof setTimeout>;

  /** Starts it. */
  constructor(milliseconds: number) {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.passed = promise;
    this.#timer = setTimeout(() => {
      this.over = true;
      resolve(undefined);
    }, milliseconds);
  }

  /** Waits, but not beyond the deadline. */
  async sleep(milliseconds: number): Promise<void> {
    using pause = new Deadline(milliseconds);
    await Promise.race([this.passed, pause.passed]);
  }

  /** Stops it. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** One connection: frames in the order in which they came. */
export class Line {
  readonly #socket: WebSocket;
  readonly #inbox: (string | Uint8Array<ArrayBuffer>)[] = [];
  #ended: string | undefined;
  #wake: () => void = () => {};

  /** Begins to connect; what goes wrong is told by `receive`. */
  constructor(url: string, apiKey: string | undefined) {
    const headers = apiKey === undefined ? {} : { headers: { Authorization: `Api-Key ${apiKey}` } };
    this.#socket = new WebSocket(url, headers);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => {
      this.#inbox.push(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
      this.#wake();
    };
    let trouble = "";
    this.#socket.onerror = (event) => trouble = (event as ErrorEvent).message.replace(/^NetworkError: /, "");
    this.#socket.onclose = ({ code, reason }) => {
      const words = code === 0 ? "" : `it closed with code ${code}${reason && `, ${reason}`}`;
      this.#ended = trouble || words || "the connection broke";
      this.#wake();
    };
  }

  /**
   * Sends a frame.
   *
   * @throws {Lost} when the connection is closed
   */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    // An answer to a question that was given up must not be taken for the answer to this one.
    if (this.#inbox.length > 0) throw new Lost("it sent a frame that nobody asked for");
    if (this.#ended !== undefined || this.#socket.readyState !== WebSocket.OPEN) {
      throw new Lost(this.#ended ?? "the connection is closed");
    }
    this.#socket.send(bytes);
  }

  /**
   * The next frame; undefined when the deadline passed before it came.
   *
   * @throws {Lost} when the connection ended
   * @throws {TooLarge} when the frame was larger than can be read
   */
  async receive(deadline: Deadline): Promise<string | Uint8Array<ArrayBuffer> | undefined> {
    while (this.#inbox.length === 0) {
      if (this.#ended === "Frame too large") throw new TooLarge("its frame is larger than 64 MiB");
      if (this.#ended !== undefined) throw new Lost(this.#ended);
      if (deadline.over) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await Promise.race([promise, deadline.passed]);
    }
    return this.#inbox.shift();
  }

  /** Ends the connection; what still comes is dropped. */
  close(): void {
    this.#socket.onmessage = null;
    this.#ended ??= "the connection is closed";
    if (this.#socket.readyState <= WebSocket.OPEN) this.#socket.close();
  }
}
