/** Whether the base's own successes teach it anything: BENCHMARKS.md, "control over base". */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "control-over-base",
  statement: "Distilling the base's own successes already beats the base",
  stated: "2026-11-21",
  experiment: "pld-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "control", over: "base" },
  comparison: "above",
  margin: 0,
  test: "episodes",
  n: 450,
});
