/** A connection to the policy that a stage was told of: a server elsewhere, or a tiny one that it starts itself. */
import { type Message, OpenpiClient } from "../policies/openpi.ts";
import { serveOpenpi } from "../policies/openpi_server.ts";
import { apiKey } from "./openpi_key.ts";
import { TINY } from "./served_policy.ts";
import { tinyPi0 } from "./tiny_pi0.ts";

/** A policy that answers. */
export interface ServedConnection extends AsyncDisposable {
  /** What the server said of itself. */
  readonly metadata: Message;
  /** The answer to an observation. */
  infer(observation: Message): Promise<Message>;
}

/**
 * Connects to the policy at `url`; "tiny:" is a policy of pi0's shape in this process, spoken to over the same protocol.
 *
 * @throws {Error} when the server is not reached
 */
export async function connectServed(url: string, note: (line: string) => void): Promise<ServedConnection> {
  await using started = new AsyncDisposableStack();
  let address = url;
  if (url === TINY) {
    const { port } = started.use(serveOpenpi(tinyPi0, { port: 0 }));
    address = `ws://127.0.0.1:${port}`;
  }
  const client = started.use(await OpenpiClient.connect({ url: address, apiKey: apiKey(), note }));
  const open = started.move();
  return {
    metadata: client.metadata,
    infer: (observation) => client.infer(observation),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
