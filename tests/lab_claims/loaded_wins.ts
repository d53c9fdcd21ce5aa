/** A claim for the lab's tests. */
import { defineClaim } from "../../results/claim.ts";

export default defineClaim({
  name: "loaded-wins",
  statement: "A loaded coin falls on the right side more often",
  stated: "2000-01-01",
  experiment: "tiny-coins",
  version: 1,
  seeds: [0, 1],
  metric: { success: "loaded", over: "before" },
  comparison: "above",
  margin: 0.2,
  test: "episodes",
  n: 80,
});
