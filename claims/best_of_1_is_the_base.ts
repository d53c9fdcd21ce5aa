/** With one proposal there is nothing to choose: the base, bit for bit. */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "best-of-1-is-the-base",
  statement: "The best of 1 is evaluated to the bytes of the base",
  stated: "2026-11-21",
  experiment: "best-of-n-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { identical: ["base", "best-of-1"] },
});
