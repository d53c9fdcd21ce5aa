/** A headless Chromium over its DevTools protocol, for tests that need a real page; needs no package. */

/** Where Chromium may lie; UPLIFT_CHROMIUM names another place. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Path of a Chromium on this machine; undefined where there is none. */
export function chromium(): string | undefined {
  return [Deno.env.get("UPLIFT_CHROMIUM") ?? [], PLACES].flat().find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  // deno-lint-ignore no-explicit-any -- what the protocol sends is described elsewhere
  readonly params?: any;
  // deno-lint-ignore no-explicit-any
  readonly result?: any;
  readonly error?: { readonly message: string };
}

/** One page of a browser of its own. Dispose it to end the browser. */
export class Page {
  /** Errors on the console, uncaught exceptions, failed requests, and requests to other origins than `origin`. */
  readonly problems: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #session: string;
  readonly #waiting = new Map<number, PromiseWithResolvers<Message["result"]>>();
  readonly #origin: string;
  #count = 0;
  #loaded: (() => void) | undefined;

  private constructor(
    process: Deno.ChildProcess,
    profile: string,
    socket: WebSocket,
    session: string,
    origin: string,
  ) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    this.#session = session;
    this.#origin = origin;
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
  }

  /** Starts a browser with one empty page; `origin` is the only one it should talk to. */
  static async open(path: string, origin: string, dark = false): Promise<Page> {
    const profile = await Deno.makeTempDir({ prefix: "uplift-chromium-" });
    const process = new Deno.Command(path, {
      args: [
        "--headless=new",
        "--no-sandbox",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        "--window-size=1280,900",
        // Draws 3-D without a graphics card.
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--disable-background-networking",
        "--no-first-run",
        ...(dark ? ["--force-dark-mode"] : []),
        "about:blank",
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const socket = new WebSocket(await address(process));
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const ask = (method: string, params: unknown) =>
      new Promise<Message["result"]>((resolve) => {
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data) as Message;
          if (message.id === 1) resolve(message.result);
        };
        socket.send(JSON.stringify({ id: 1, method, params }));
      });
    const { targetId } = await ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await ask("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(process, profile, socket, sessionId, origin);
    page.#count = 1;
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(`${domain}.enable`);
    return page;
  }

  /** One command of the protocol. */
  send(method: string, params: unknown = {}): Promise<Message["result"]> {
    const id = ++this.#count;
    const waiter = Promise.withResolvers<Message["result"]>();
    this.#waiting.set(id, waiter);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }));
    return waiter.promise;
  }

  /** Opens an address and waits until it is loaded. */
  async goto(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => this.#loaded = resolve);
    await this.send("Page.navigate", { url });
    await loaded;
  }

  /** The value of an expression in the page; a promise is waited for. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value as T;
  }

  /** Waits until an expression is truthy, and returns it. */
  async until<T>(expression: string, limitMs = 20_000): Promise<T> {
    const deadline = performance.now() + limitMs;
    while (performance.now() < deadline) {
      const value = await this.evaluate<T>(expression).catch(() => undefined);
      if (value) return value;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`Not so within ${limitMs} ms: ${expression}`);
  }

  /** A picture of what is seen, PNG. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  }

  #hear({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      if (error) this.#waiting.get(id)?.reject(new Error(error.message));
      else this.#waiting.get(id)?.resolve(result);
      this.#waiting.delete(id);
    } else if (method === "Page.loadEventFired") this.#loaded?.();
    else if (method === "Runtime.exceptionThrown") {
      this.problems.push(params.exceptionDetails.exception?.description);
    } else if (method === "Log.entryAdded" && params.entry.level === "error") {
      this.problems.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    } else if (method === "Runtime.consoleAPICalled" && params.type === "error") {
      this.problems.push(JSON.stringify(params.args));
    } else if (method === "Network.requestWillBeSent") {
      const { url } = params.request;
      if (!url.startsWith(this.#origin) && !/^(data|blob|about):/.test(url)) {
        this.problems.push(`asked ${url}`);
      }
    }
  }

  /** Ends the browser. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.send("Browser.close").catch(() => {});
    this.#socket.close();
    await this.#process.status;
    await Deno.remove(this.#profile, { recursive: true }).catch(() => {});
  }
}

/** The address the browser prints. */
async function address(process: Deno.ChildProcess): Promise<string> {
  let text = "";
  const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
  while (true) {
    const { value, done } = await reader.read();
    text += value ?? "";
    const found = /DevTools listening on (ws:\S+)/.exec(text);
    if (found) {
      // Read on, so that a full pipe does not stop it.
      (async () => {
        while (!(await reader.read()).done);
      })().catch(() => {});
      return found[1]!;
    }
    if (done) throw new Error(`Cannot start the browser: ${text}`);
  }
}
