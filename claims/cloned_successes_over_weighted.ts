/** Chunks weighted by their advantage against cloning the successes: docs/chunk-rl.md. */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "cloned-successes-over-weighted",
  statement: "Cloning the successes brings more than weighting all chunks by their advantage",
  stated: "2026-11-21",
  experiment: "chunk-rl-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "clone-successes", over: "weighted" },
  comparison: "above",
  margin: 0,
  test: "episodes",
  n: 450,
});
