/**
 * A policy that a server holds and the world it acts in, as one parameter of a stage: the lab asks `remote_world.ts` what both
 * are now, and that enters the stage's key.
 */
import { z } from "zod";
import type { Simulator } from "../lab/stage.ts";
import { world } from "./world.ts";

/** What a stage is told of it. */
const settings = z.strictObject({
  world,
  url: z.string().regex(/^wss?:\/\//).describe("address of the policy server, ws://host:port"),
  label: z.string().min(1).describe("what the server serves, in the words of whoever started it"),
});

/** A served policy in its world. */
export type ServedSettings = z.output<typeof settings>;

/** As in world.ts: loaded where it is asked for, imported nowhere. */
const remoteModule: string = new URL("remote_world.ts", new URL("./", import.meta.url)).href;

const simulator = (served: ServedSettings): Simulator => ({ module: remoteModule, settings: served });

/** Where the policy is, what it is called, and the world it is asked in, with two cameras: over the table, on the wrist. */
export const served = settings.meta({ description: "the policy server and the simulated world", simulator });
