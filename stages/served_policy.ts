/**
 * A policy that a server holds and the world it acts in, as one parameter of a stage: the lab asks `remote_world.ts` what both
 * are now, and that enters the stage's key.
 */
import { z } from "zod";
import type { Simulator } from "../lab/stage.ts";
import { world } from "./world.ts";

/** The address of a policy of pi0's shape that needs no checkpoint (tiny_pi0.ts): each stage starts its own. */
export const TINY = "tiny:";

/** What a stage is told of it. */
const settings = z.strictObject({
  world,
  url: z.string().regex(/^wss?:\/\/|^tiny:$/)
    .describe("address of the policy server, ws://host:port; tiny: for a policy that needs no checkpoint"),
  label: z.string().min(1).describe("what the server serves, in the words of whoever started it"),
});

/** A served policy in its world. */
export type ServedSettings = z.output<typeof settings>;

/** As in world.ts: loaded where it is asked for, imported nowhere. */
const remoteModule: string = new URL("remote_world.ts", new URL("./", import.meta.url)).href;

const simulator = (served: ServedSettings): Simulator => ({ module: remoteModule, settings: served });

/** Where the policy is, what it is called, and the world it is asked in, with two cameras: over the table, on the wrist. */
export const served = settings.meta({ description: "the policy server and the simulated world", simulator });
