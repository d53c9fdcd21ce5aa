/** Whether a critic on chunks picks better ones than its flow draws, before anything is tried: docs/qc.md. */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "qc-offline-over-base",
  statement: "QC, offline from 300 rollouts of the base, beats the base",
  stated: "2026-11-21",
  experiment: "qc-tabletop",
  version: 1,
  seeds: [0, 1, 2],
  metric: { success: "qc-offline", over: "base" },
  comparison: "above",
  margin: 0,
  test: "episodes",
  n: 450,
});
