/** What to expect of training once more: the spread between seeds counts, not only that between episodes. */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "specialist-trained-again",
  statement: "A specialist trained with a new seed lifts its base by more than 20 points",
  stated: "2026-11-21",
  experiment: "pld-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "specialist", over: "base" },
  comparison: "above",
  margin: 0.2,
  test: "seeds",
  n: 450,
});
