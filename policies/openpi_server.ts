/**
 * The serving side of openpi's websocket protocol, for openpi's own client (openpi: packages/openpi-client): a frame of
 * metadata first, then a frame of actions for each frame of an observation; an error is a text frame, after which the
 * connection closes with code 1011. `GET /healthz` answers "OK".
 */
import { timingSafeEqual } from "node:crypto";
import { pack, unpack, type Wire } from "./msgpack_numpy.ts";
import type { Message } from "./openpi.ts";

/** Which question of which connection, both from 0. */
export interface Place {
  /** Connections before this one, since the server started. */
  readonly connection: number;
  /** Questions before this one on its connection. */
  readonly question: number;
}

/** What is served. */
export interface Served {
  /** The greeting. */
  readonly metadata: Message;
  /** The answer to an observation; what it throws is told to the client in one line. One call at a time. */
  infer(observation: Message, place: Place): Promise<Message>;
}

/** How the server is reached. */
export interface ServerOptions {
  /** Address it listens on; the loopback unless told. */
  readonly hostname?: string | undefined;
  /** 0 takes a free one. */
  readonly port: number;
  /** What clients must send as `Authorization: Api-Key ...`. */
  readonly apiKey?: string | undefined;
  /** Stops the server. */
  readonly signal?: AbortSignal | undefined;
  /** Told the port once it listens. */
  readonly listening?: ((port: number) => void) | undefined;
  /** Milliseconds, for the timings in answers; they are 0 without it. */
  readonly clock?: (() => number) | undefined;
  /** Hears of connections and of what went wrong. */
  readonly note?: ((line: string) => void) | undefined;
}

/** A running server. */
export interface OpenpiServer extends AsyncDisposable {
  /** Where it listens. */
  readonly port: number;
  /** Resolves when it has stopped. */
  readonly finished: Promise<void>;
}

/** Questions that one connection may have waiting; openpi's client has one. */
const WAITING = 16;
/** Bytes of a frame: more than any observation. Beyond 64 MiB the runtime breaks the connection before anybody could answer. */
const LARGEST = 32 * 2 ** 20;

/**
 * Starts a server.
 *
 * @throws {Error} when another machine could reach it and it has no API key
 */
export function serveOpenpi(served: Served, options: ServerOptions): OpenpiServer {
  const { hostname = "127.0.0.1", port, apiKey, signal, listening = () => {}, note = () => {} } = options;
  const { clock = () => 0 } = options;
  if (!isLoopback(hostname) && apiKey === undefined) {
    throw new Error(`Cannot serve a policy on ${hostname} without an API key: others could use it`);
  }
  const greeting = pack(served.metadata as Wire);
  const open = new Set<WebSocket>();
  let connections = 0;
  // One question at a time over all connections: the policy is a session of one row.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(f: () => Promise<T>): Promise<T> => {
    const result = turn.then(f);
    turn = result.catch(() => {});
    return result;
  };

  const converse = (socket: WebSocket, connection: number) => {
    let questions = 0, waiting = 0, previous: number | undefined;
    socket.binaryType = "arraybuffer";
    const fail = (reason: string) => {
      note(`connection ${connection}: ${reason}`);
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(reason);
      socket.close(1011, "Internal server error. The reason is in the previous frame.");
    };
    socket.onopen = () => {
      open.add(socket);
      note(`connection ${connection} opened`);
      socket.send(greeting);
    };
    socket.onclose = () => {
      if (open.delete(socket)) note(`connection ${connection} closed after ${questions} questions`);
    };
    socket.onerror = (event) => {
      const { message } = event as ErrorEvent;
      const large = `Cannot read so large a frame: an observation has at most ${LARGEST} bytes`;
      note(`connection ${connection}: ${message === "Frame too large" ? large : message || "it broke"}`);
    };
    socket.onmessage = async ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (typeof data === "string") return fail("Cannot read a text frame: an observation is a binary frame");
      if (data.byteLength > LARGEST) {
        return fail(
          `Cannot read a frame of ${data.byteLength} bytes: an observation has at most ${LARGEST}`,
        );
      }
      if (waiting >= WAITING) {
        return fail(`Cannot take more than ${WAITING} questions ahead: await the answers`);
      }
      const place = { connection, question: questions++ };
      const arrived = clock();
      waiting++;
      try {
        await inTurn(async () => {
          if (socket.readyState !== WebSocket.OPEN) return; // nobody waits for the answer any more
          const started = clock();
          const answer = await served.infer(observationIn(data), place);
          const infer_ms = clock() - started;
          if (socket.readyState !== WebSocket.OPEN) return;
          const server_timing = {
            infer_ms,
            ...(previous === undefined ? {} : { prev_total_ms: previous }),
          };
          socket.send(pack({ ...answer, policy_timing: { infer_ms }, server_timing } as Wire));
          previous = clock() - arrived;
        });
      } catch (error) {
        fail(error instanceof Error ? error.message : String(error));
      } finally {
        waiting--;
      }
    };
  };

  const server = Deno.serve({
    hostname,
    port,
    ...(signal ? { signal } : {}),
    onListen: ({ port }) => listening(port),
  }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/healthz") return new Response("OK\n");
    const refusal = refused(request, apiKey);
    if (refusal) return refusal;
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("This is a policy server: connect to it as a websocket\n", { status: 426 });
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    converse(socket, connections++);
    return response;
  });
  signal?.addEventListener("abort", () => open.forEach((socket) => socket.close(1001)));
  return {
    port: (server.addr as Deno.NetAddr).port,
    finished: server.finished,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.close(1001);
      await server.shutdown();
    },
  };
}

/** Whether only this machine can reach an address. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d+){3}$/.test(hostname);
}

function refused(request: Request, apiKey: string | undefined): Response | undefined {
  if (apiKey === undefined) {
    // A page in somebody's browser may open websockets to the loopback; policies' clients name no origin.
    return request.headers.has("origin") ? new Response("Forbidden\n", { status: 403 }) : undefined;
  }
  const sent = new TextEncoder().encode(request.headers.get("authorization") ?? "");
  const wanted = new TextEncoder().encode(`Api-Key ${apiKey}`);
  if (sent.length === wanted.length && timingSafeEqual(sent, wanted)) return undefined;
  return new Response("Unauthorized\n", { status: 401 });
}

function observationIn(data: ArrayBuffer): Message {
  let value: Wire;
  try {
    value = unpack(new Uint8Array(data));
  } catch (error) {
    throw new Error(`Cannot read an observation: ${error instanceof Error ? error.message : error}`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Error("Cannot read an observation: it must be a map of names");
  }
  return value as Message;
}
