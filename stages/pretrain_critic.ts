/** PLD, before stage 1: the critic learns from the base's successes by Cal-QL, with an actor beside it. */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import * as calql from "../rl/calql.ts";
import * as pld from "../rl/pld.ts";
import { outputs, pretrain, pretraining } from "./pretraining.ts";
import { offlineReplay, stateScale } from "./transitions.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Successful episodes of the base. */
export const inputs = { offline: "episodes" } as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  execute: z.int().min(1).max(64).describe("actions executed of each chunk of the base"),
  learner: pretraining,
  calql: calql.hyperparameters,
});

/** Updates in one call of the learner. */
const CALL = 10;

/** Takes `calql.steps` updates on the offline transitions. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { execute, learner, calql: c } = context.parameters;
  const h = pld.hyperparameters.parse(learner);
  const episodes = decodeEpisodes(await Deno.readFile(context.input.offline.path));
  const scale = stateScale(episodes, execute);
  const offline = offlineReplay(episodes, { scale, execute, reward: h });
  const sizes = { state: scale.center.length, action: 7 };
  const shapes = calql.updateShapes(sizes, h, c);
  await pretrain(context, {
    h,
    steps: c.steps,
    call: CALL,
    program: compileUpdate(calql.update(h, c), shapes),
    batch: shapes.batch,
    initialize: (draws) => pld.initialize(draws, sizes, h),
    resetActor: (draws, state) => pld.resetActor(draws, state, sizes, h),
    fill: (columns, rows, { draw }) => offline.sample(draw, columns, 0, rows),
  });
}
