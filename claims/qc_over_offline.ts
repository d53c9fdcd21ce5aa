/** What going on online with the same buffer brings: docs/qc.md. */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "qc-over-offline",
  statement: "30,000 online steps lift QC by more than 15 points over its offline phase",
  stated: "2026-11-21",
  experiment: "qc-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "qc", over: "qc-offline" },
  comparison: "above",
  margin: 0.15,
  test: "episodes",
  n: 450,
});
