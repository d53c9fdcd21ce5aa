/** A walk whose widths are drawn, or are an object that is in the store already. */
import { z } from "zod";
import { experiment, given } from "../../lab/experiment.ts";
import * as draw from "../lab_stages/draw.ts";
import * as summarize from "../lab_stages/summarize.ts";
import * as walk from "../lab_stages/walk.ts";

export default experiment({
  name: "tiny-given",
  version: 1,
  summary: "A walk with widths from elsewhere",
  seeds: [0],
  hyperparameters: z.strictObject({ widths: z.string().default(""), steps: z.int().default(20) }),
  presets: { smoke: {} },
  graph(stage, { hyperparameters: { widths, steps } }) {
    const numbers = widths === ""
      ? stage(draw, {}, { count: 7, scale: 0.9 }, { name: "widths" }).numbers
      : given("document", widths);
    const { path } = stage(walk, { numbers }, { steps, pauseMs: 0 }, { name: "walk" });
    stage(summarize, { paths: widths === "" ? [path] : [path, numbers] }, {}, { name: "summary" });
    return { evaluations: {} };
  },
});
