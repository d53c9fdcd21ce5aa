/** A claim for the lab's tests. */
import { defineClaim } from "../../results/claim.ts";

export default defineClaim({
  name: "third-seed",
  statement: "A third seed says the same",
  stated: "2000-01-01",
  experiment: "tiny-coins",
  version: 1,
  seeds: [0, 7],
  metric: { success: "before" },
  comparison: "below",
  margin: 0.5,
  test: "episodes",
  n: 80,
});
