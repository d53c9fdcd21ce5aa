/** What the same budget buys without a base: BENCHMARKS.md, "SAC from scratch". */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "sac-from-scratch",
  statement: "SAC from scratch with the specialist's budget succeeds in less than 10 % of episodes",
  stated: "2026-11-21",
  experiment: "sac-tabletop",
  version: 1,
  seeds: [0],
  metric: { success: "sac" },
  comparison: "below",
  margin: 0.1,
  test: "episodes",
  n: 150,
});
