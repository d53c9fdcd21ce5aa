/** What a policy server is shown of a world. */
import type { Observation } from "../envs/environment.ts";
import { liberoObservation, type Message } from "../policies/openpi.ts";
import { alohaObservation } from "../policies/openpi_aloha.ts";
import type { WorldSettings } from "./world.ts";

/** Makes an observation what a server is sent. */
export type View = (observation: Observation, language: string) => Message;

/**
 * How a world is shown: ALOHA from its first camera, the others as LIBERO, from over the table and from the wrist.
 *
 * @throws {Error} when the world has other cameras
 */
export function viewOf({ name, cameras = [] }: WorldSettings): View {
  const [first, second, ...others] = cameras;
  if (name === "aloha") {
    if (!first || second) {
      throw new Error("Cannot show a remote policy ALOHA: it takes one camera, from the top");
    }
    return (observation) => alohaObservation(observation, first.name);
  }
  if (!first || !second || others.length > 0) {
    throw new Error(
      "Cannot show a remote policy its world: it takes two cameras, over the table and on the wrist",
    );
  }
  const names = [first.name, second.name] as const;
  return (observation, language) => liberoObservation(observation, language, names);
}
