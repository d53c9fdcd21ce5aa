/**
 * What a policy server and the world it is asked in are now. No module imports this one: stages/served_policy.ts names it to the
 * lab as the simulator of the stages that ask a server.
 */
import { OpenpiClient, plain } from "../policies/openpi.ts";
import * as aloha from "./aloha_world.ts";
import * as libero from "./libero_world.ts";
import { apiKey } from "./openpi_key.ts";
import { type ServedSettings, TINY } from "./served_policy.ts";
import { tinyPi0 } from "./tiny_pi0.ts";

/** Asked at every command: a server that is there greets at once. */
const DEADLINES = { connect: 3000, answer: 3000 };

/**
 * The server's metadata, and what decides the simulator's bytes.
 *
 * @throws {Error} when the simulator is not here or the server is not reached; the message says what is wanted
 */
export async function fingerprint({ world, url }: ServedSettings) {
  const simulator = world.name === "libero"
    ? { libero: await libero.fingerprint(world) }
    : world.name === "aloha"
    ? { aloha: aloha.fingerprint(world) }
    : {};
  if (url === TINY) return { ...simulator, server: plain(tinyPi0.metadata) };
  using client = await OpenpiClient.connect({ url, apiKey: apiKey(), deadlines: DEADLINES });
  return { ...simulator, server: plain(client.metadata) };
}

/** The policy and the world of a number, in one line for its report. */
export function describe({ world, url, label }: ServedSettings): string {
  const where = world.name === "libero"
    ? libero.describe(world)
    : world.name === "aloha"
    ? aloha.describe(world)
    : `the ${world.name} with images`;
  return `${where}; policy "${label}" served at ${url}: evidence, the server's word is not in the hashes`;
}
