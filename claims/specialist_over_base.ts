/** The residual specialist against the base it stands on: BENCHMARKS.md, "specialist over base". */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "specialist-over-base",
  statement: "Residual RL lifts the cloned base by more than 40 points",
  stated: "2026-11-21",
  experiment: "pld-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "specialist", over: "base" },
  comparison: "above",
  margin: 0.4,
  test: "episodes",
  n: 450,
});
