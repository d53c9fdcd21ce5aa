/** What stages that use LeRobot are told of it; the lab asks `lerobot_simulator.ts` what it is on this machine now. */
import { z } from "zod";
import type { Simulator } from "../lab/stage.ts";
import { world } from "./world.ts";

/** As in world.ts: loaded where it is asked for, imported nowhere. */
const module: string = new URL("lerobot_simulator.ts", new URL("./", import.meta.url)).href;

const device = z.string().regex(/^(cpu|cuda(:\d+)?|mps)$/).default("cpu")
  .describe("where PyTorch computes: cpu, cuda, cuda:1; bytes are those of one kind of device");

const plugin = z.string().regex(/^[a-z_.]*$/).default("")
  .describe(
    "Python package that is imported first, for policies or environments that LeRobot does not bring",
  );

const alone = z.strictObject({ device, plugin });
const acting = z.strictObject({
  world,
  device,
  plugin,
  guidance: z.number().min(0).nullable().default(null)
    .describe("guidance s of a policy that was trained with a condition; null: without the condition"),
  steps: z.int().min(1).max(1000).nullable().default(null).describe("Euler steps; null: the policy's number"),
  mismatch: z.enum(["refuse", "policy", "given"]).default("refuse")
    .describe(
      "when statistics that are given differ from the policy's: refuse, keep its own, take the given ones",
    ),
});

/** LeRobot without a world. */
export type BridgeSettings = z.output<typeof alone>;
/** A LeRobot policy in a world. */
export type ActingSettings = z.output<typeof acting>;

/** LeRobot on a device. */
export const bridge = alone.prefault({}).meta({
  description: "LeRobot's Python environment",
  simulator: (settings: BridgeSettings): Simulator => ({ module, settings }),
});

/** How a LeRobot policy acts in which world, with two cameras: over the table, on the wrist. */
export const lerobotActor = acting.meta({
  description: "a LeRobot policy in a simulated world",
  simulator: (settings: ActingSettings): Simulator => ({ module, settings }),
});
