/** A policy server that speaks openpi's side of its websocket protocol, and misbehaves on demand. */
import { type Message } from "../policies/openpi.ts";
import { pack, unpack, type Wire } from "../policies/msgpack_numpy.ts";

/** What the server does with a question: answers, or sends raw bytes, a traceback, breaks the connection, or is silent. */
export type Reaction =
  | { readonly answer: Message }
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly traceback: string }
  | "drop"
  | "silence";

/** How a server behaves. */
export interface Behaviour {
  /** The greeting; of connection number `connection`, from 0. */
  readonly metadata: (connection: number) => Message;
  /** What it does with question number `question`, from 0, over all connections. */
  readonly react: (observation: Message, question: number) => Reaction;
  /** The only API key it lets in. */
  readonly apiKey?: string;
}

/** A running server. */
export interface PolicyServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** All questions so far. */
  readonly questions: readonly Message[];
  /** Connections so far. */
  readonly connections: number;
}

/** Starts a server on this machine. */
export function servePolicy({ metadata, react, apiKey }: Behaviour, port = 0): PolicyServer {
  const questions: Message[] = [];
  const open = new Set<WebSocket>();
  let connections = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
    if (new URL(request.url).pathname === "/healthz") return new Response("OK\n");
    if (apiKey !== undefined && request.headers.get("authorization") !== `Api-Key ${apiKey}`) {
      return new Response("Unauthorized", { status: 401 });
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    const connection = connections++;
    open.add(socket);
    socket.onopen = () => socket.send(pack(metadata(connection)));
    socket.onclose = () => open.delete(socket);
    socket.onerror = () => open.delete(socket);
    socket.onmessage = ({ data }) => {
      const observation = unpack(new Uint8Array(data)) as Message;
      questions.push(observation);
      const reaction = react(observation, questions.length - 1);
      if (reaction === "drop") socket.close(1001, "going away");
      else if (reaction === "silence") return;
      else if ("traceback" in reaction) {
        socket.send(reaction.traceback);
        socket.close(1011, "Internal server error. Traceback included in previous frame.");
      } else socket.send("bytes" in reaction ? reaction.bytes : pack(reaction.answer as Wire));
    };
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}`,
    port: server.addr.port,
    questions,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.close();
      await server.shutdown();
    },
  };
}
