/** A claim for the lab's tests. */
import { defineClaim } from "../../results/claim.ts";

export default defineClaim({
  name: "many-coins",
  statement: "A thousand coins say the same",
  stated: "2000-01-01",
  experiment: "tiny-coins",
  version: 1,
  seeds: [0, 1],
  metric: { success: "loaded" },
  comparison: "above",
  margin: 0.5,
  test: "episodes",
  n: 1000,
});
