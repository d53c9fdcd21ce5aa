/** A long stage for the lab's tests: a random walk of many steps that stops and goes on at any of them. */
import { z } from "zod";
import { Stream, stream } from "../../random.ts";
import type { StageContext } from "../../lab/stage.ts";

export const entry = import.meta.url;
export const inputs = { numbers: "document" } as const;
export const outputs = { path: "document" } as const;
export const parameters = z.strictObject({
  steps: z.int().min(1),
  /** Milliseconds a step takes: what a crash test needs to hit it. */
  pauseMs: z.number().min(0).default(0),
});

interface State {
  counter: number;
  positions: number[];
}

/** Walks `steps` steps of the given widths; writes all positions. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { steps, pauseMs } = context.parameters;
  const widths: number[] = JSON.parse(await Deno.readTextFile(context.input.numbers.path));
  const stored = await context.checkpoint.read();
  const state: State = stored ? JSON.parse(new TextDecoder().decode(stored)) : { counter: 0, positions: [0] };
  const save = () => context.checkpoint.write(new TextEncoder().encode(JSON.stringify(state)));
  while (state.positions.length <= steps) {
    if (context.interrupted()) {
      await save();
      throw context.interruption();
    }
    if (context.checkpoint.due()) await save();
    const draws = new Stream(stream(context.seed, "walk").key, state.counter);
    const width = widths[state.positions.length % widths.length]!;
    state.positions.push(state.positions.at(-1)! + width * draws.uniform(-1, 1));
    state.counter = draws.counter;
    context.spend({ environmentSteps: 1 });
    context.progress({ done: state.positions.length - 1, total: steps, unit: "steps" });
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  await context.output.path.write(new TextEncoder().encode(JSON.stringify(state.positions)));
}
