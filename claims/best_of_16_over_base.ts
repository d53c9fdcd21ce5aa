/** The best of 16 proposals against the base that proposes: docs/chunk-rl.md. */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "best-of-16-over-base",
  statement:
    "The best of 16 of a frozen base's proposals, by a chunk critic, lifts it by more than 20 points",
  stated: "2026-11-21",
  experiment: "best-of-n-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "best-of-16", over: "base" },
  comparison: "above",
  margin: 0.2,
  test: "episodes",
  n: 450,
});
