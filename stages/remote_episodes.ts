/** A remote policy and the world it is steered in, opened for the stages that learn and evaluate its noise. */
import { z } from "zod";
import type { Image, Observation } from "../envs/environment.ts";
import type { Message } from "../policies/openpi.ts";
import { resize } from "../policies/resize_with_pad.ts";
import type { Cameras } from "./cameras.ts";
import { RemoteSteering } from "./remote_steering.ts";
import { viewOf } from "./remote_views.ts";
import { connectServed, type ServedConnection } from "./served_connection.ts";
import { served } from "./served_policy.ts";
import type { Steering } from "./steered_base.ts";
import { openWorld, type World, type WorldSettings } from "./world.ts";

/** What these stages are told of the policy, and of what the learner sees of its world. */
export const remote = {
  served,
  execute: z.int().min(1).max(64).describe("actions executed between two queries of the policy"),
  noise: z.tuple([z.int().min(1).max(1000), z.int().min(1).max(4096)])
    .describe("extents of the policy's initial noise; w is one of its rows, repeated"),
  seen: z.array(z.string()).min(1).describe("cameras that the learner sees, of those that the policy sees"),
  edge: z.int().min(17).max(512).describe(
    "rows and columns of the learner's pictures, scaled from the cameras'",
  ),
} as const;

/** The parameters as a stage gets them. */
export type RemoteSettings = z.output<z.ZodObject<typeof remote>>;

/** The policy and the world. */
export interface RemoteEpisodes extends AsyncDisposable {
  /** The connection. */
  readonly connection: ServedConnection;
  /** The world. */
  readonly world: World;
  /** What the learner sees. */
  readonly cameras: Cameras;
  /** Makes pictures what the learner sees. */
  readonly shown: (observation: Observation) => Observation;
  /** Numbers of the proprioception. */
  readonly proprioception: number;
  /** The policy under a steering, over all lanes; w has one row of the noise unless told. */
  policy(steering: Steering, rows?: number): RemoteSteering;
}

/**
 * Connects to the policy and opens its world.
 *
 * @throws {Error} when the cameras do not fit, or pictures would be missing at queries
 */
export async function openRemote(
  { served: { world: settings, url }, execute, noise, seen, edge }: RemoteSettings,
  { lanes, seed, note }: { lanes: number; seed: number; note: (line: string) => void },
): Promise<RemoteEpisodes> {
  const view = viewOf(settings);
  assertPictures(settings, seen, execute);
  const shown = (observation: Observation): Observation => {
    const images: Record<string, Image> = {};
    for (const name of seen) {
      const image = observation.images?.[name];
      if (image) images[name] = resize(image, { width: edge, height: edge });
    }
    return { ...observation, images };
  };
  const world = await openWorld(settings);
  const connection = await connectServed(url, note);
  // Several may steer it at once, and a server is asked one thing at a time.
  let turn: Promise<unknown> = Promise.resolve();
  const infer = (observation: Message) => {
    const answer = turn.then(() => connection.infer(observation));
    turn = answer.catch(() => {});
    return answer;
  };
  const { actionSize } = world;
  return {
    connection,
    world,
    cameras: { names: seen, height: edge, width: edge, channels: 3 * seen.length },
    shown,
    proprioception: settings.name === "aloha" ? 14 : 8,
    policy: (steering, rows = 1) =>
      new RemoteSteering({
        infer,
        ...{ view, lanes, actionSize, execute, noise, rows, seed, steering },
      }),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

function assertPictures(world: WorldSettings, seen: readonly string[], execute: number): void {
  const names = (world.cameras ?? []).map(({ name }) => name as string);
  const absent = seen.find((name) => !names.includes(name));
  if (absent !== undefined) {
    throw new Error(`Cannot see camera "${absent}": the world is opened with ${names.join(", ")}`);
  }
  if (world.name === "aloha" && execute % world.every !== 0) {
    throw new Error(
      `Cannot query every ${execute} steps with pictures every ${world.every}: execute must be a multiple of it`,
    );
  }
}
