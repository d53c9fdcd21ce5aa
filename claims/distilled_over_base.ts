/** What is left of the uplift in one policy without a residual: BENCHMARKS.md, "distilled over base". */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "distilled-over-base",
  statement: "The policy distilled from the specialist's episodes beats the base by more than 10 points",
  stated: "2026-11-21",
  experiment: "pld-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "distilled", over: "base" },
  comparison: "above",
  margin: 0.1,
  test: "episodes",
  n: 450,
});
