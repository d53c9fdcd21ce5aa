/** How near the specialist comes to the paper's 95 %: with 45,000 online steps two of three seeds stayed below 90 %. */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "specialist-above-90",
  statement: "After 70,000 online steps the specialist succeeds in more than 90 % of episodes",
  stated: "2026-11-21",
  experiment: "pld-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "specialist" },
  comparison: "above",
  margin: 0.9,
  test: "episodes",
  n: 450,
});
