/**
 * What a policy server and the world it is asked in are now. No module imports this one: stages/served_policy.ts names it to the
 * lab as the simulator of the stages that ask a server.
 */
import { OpenpiClient, plain } from "../policies/openpi.ts";
import * as aloha from "./aloha_world.ts";
import * as libero from "./libero_world.ts";
import { apiKey } from "./openpi_key.ts";
import type { SimulatorCheck } from "./simulator_check.ts";
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

/** What `exp doctor` tells of them: the world, then the server. */
export async function checks({ world, url, label }: ServedSettings): Promise<SimulatorCheck[]> {
  const worlds = world.name === "libero"
    ? libero.checks(world)
    : world.name === "aloha"
    ? aloha.checks(world)
    : [];
  if (url === TINY) return worlds;
  const server = {
    name: "policy server",
    mend: `start a server of ${label} there, or name another by policy.url`,
  };
  try {
    using client = await OpenpiClient.connect({ url, apiKey: apiKey(), deadlines: DEADLINES });
    const said = JSON.stringify(plain(client.metadata));
    return [...worlds, { ...server, ok: true, detail: `${url} answers, it says ${said}` }];
  } catch (error) {
    return [...worlds, {
      ...server,
      ok: false,
      detail: error instanceof Error ? error.message : String(error),
    }];
  }
}
