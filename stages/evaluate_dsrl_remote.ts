/**
 * Success of a policy behind openpi's protocol on held-out initial states, its noise chosen by a learned actor, drawn, or zero.
 * Its numbers are evidence, as those of `evaluate_remote.ts`.
 */
import { z } from "zod";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import { plain } from "../policies/openpi.ts";
import { actorForm } from "../rl/dsrl_pixels.ts";
import { evaluateActor, outputs as stored } from "./evaluation.ts";
import { protocol } from "./evaluation_table.ts";
import { PixelNoiseActor } from "./pixel_steering.ts";
import { openRemote, remote } from "./remote_episodes.ts";
import { type Steering, unsteered } from "./steered_base.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The learner state that steers it, for a learned noise. */
export const inputs = { actor: "weights[]" } as const;
/** The success table, the episodes without observations, and what the server said of itself. */
export const outputs = { ...stored, server: "document" } as const;

const { world: _, ...evaluated } = protocol;

/** What the stage is told. */
export const parameters = z.strictObject({
  ...remote,
  ...evaluated,
  w: z.enum(["learned", "sampled", "full", "drawn", "zero"])
    .describe(
      "what chooses the noise: the actor (w = m tanh mu, or sampled), N(0, I) in all rows or in one, nothing",
    ),
  actor: actorForm.describe("the noise actor"),
});

/** Runs the policy from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { w, actor: form, lanes, noise: [rows, width], served: { url, label } } = context.parameters;
  await using opened = await openRemote(context.parameters, {
    lanes,
    seed: context.seed,
    note: (line) => context.log(line),
  });
  const { cameras, shown, world, proprioception: numbers } = opened;
  const learned = async () => {
    const [actor] = context.input.actor;
    if (!actor) throw new Error("Cannot evaluate a learned noise without its actor: give the input");
    const { tensors: weights } = decodeSafetensors(await Deno.readFile(actor.path));
    const sampled = w === "sampled";
    return PixelNoiseActor.open({ weights, cameras, lanes, noise: width, form, sampled, numbers, shown });
  };
  const steering: Steering & Partial<AsyncDisposable> = w === "learned" || w === "sampled"
    ? await learned()
    : unsteered(w === "zero" ? "zero" : "drawn");
  try {
    await evaluateActor(context, opened.policy(steering, w === "full" ? rows : 1), world);
    const said = { url, label, metadata: plain(opened.connection.metadata) };
    await context.output.server.write(new TextEncoder().encode(JSON.stringify(said, null, 2) + "\n"));
  } finally {
    await steering[Symbol.asyncDispose]?.();
  }
}
