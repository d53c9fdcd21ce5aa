/** A claim for the lab's tests. */
import { defineClaim } from "../../results/claim.ts";

export default defineClaim({
  name: "coins-alike",
  statement: "Two coins fall alike",
  stated: "2000-01-01",
  experiment: "tiny-coins",
  version: 1,
  seeds: [0],
  metric: { identical: ["control", "loaded"] },
});
