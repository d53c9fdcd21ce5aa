/** Whether RL brought more than data alone would have: BENCHMARKS.md, "distilled over control". */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "distilled-over-control",
  statement: "Distilling the specialist's episodes beats distilling as many of the base's own successes",
  stated: "2026-11-21",
  experiment: "pld-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "distilled", over: "control" },
  comparison: "above",
  margin: 0,
  test: "episodes",
  n: 450,
});
