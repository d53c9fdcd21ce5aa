/** One stage that is not repeatable: what `exp verify` is for. */
import { z } from "zod";
import { experiment } from "../../lab/experiment.ts";
import * as dice from "../lab_stages/dice.ts";

export default experiment({
  name: "tiny-dice",
  version: 1,
  summary: "A stage that is not repeatable",
  seeds: [0],
  hyperparameters: z.strictObject({}),
  presets: { smoke: {} },
  graph(stage) {
    stage(dice, {}, {}, { name: "dice" });
    return { evaluations: {} };
  },
});
