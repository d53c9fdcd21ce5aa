/** A claim for the lab's tests. */
import { defineClaim } from "../../results/claim.ts";

export default defineClaim({
  name: "control-wins",
  statement: "A fair coin beats the first one",
  stated: "2000-01-01",
  experiment: "tiny-coins",
  version: 1,
  seeds: [0, 1],
  metric: { success: "control", over: "before" },
  comparison: "above",
  margin: 0.1,
  test: "seeds",
  n: 80,
});
