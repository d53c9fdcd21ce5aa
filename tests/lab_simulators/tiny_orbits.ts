/** Two stages, one of which needs a simulator: what its fingerprint is for. */
import { z } from "zod";
import { experiment } from "../../lab/experiment.ts";
import * as orbit from "../lab_stages/orbit.ts";

export default experiment({
  name: "tiny-orbits",
  version: 1,
  summary: "A stage with a simulator and one without",
  seeds: [0],
  hyperparameters: z.strictObject({}),
  presets: { smoke: {} },
  graph(stage) {
    for (const world of ["near", "far"] as const) stage(orbit, {}, { world }, { name: world });
    return { evaluations: {} };
  },
});
