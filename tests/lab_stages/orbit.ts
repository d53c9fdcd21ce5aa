/** A stage for the lab's tests that may need a simulator outside the repository. */
import { z } from "zod";
import type { Simulator, StageContext } from "../../lab/stage.ts";

export const entry = import.meta.url;
export const inputs = {} as const;
export const outputs = { orbit: "document" } as const;

// Not the literal pattern of a code edge: only stages that need the simulator reach its module.
const module = new URL("orbit_simulator.ts", new URL("./", import.meta.url)).href;
const simulator = (world: string): Simulator | undefined =>
  world === "far" ? { module, settings: { world } } : undefined;

export const parameters = z.strictObject({ world: z.enum(["near", "far"]).meta({ simulator }) });

/** Writes which world it was. */
export async function run(
  { output, parameters: p }: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  await output.orbit.write(new TextEncoder().encode(JSON.stringify(p.world)));
}
