/** With xi = 0 the residual cannot act: the specialist is the base, bit for bit. */
import { defineClaim } from "../results/claim.ts";

export default defineClaim({
  name: "no-reach-is-the-base",
  statement: "With xi = 0 the specialist's evaluation is the base's, byte by byte",
  stated: "2026-11-21",
  experiment: "pld-tabletop",
  version: 1,
  settings: { "learner.xi": 0, "learner.xiSchedule.from": 0, "online.steps": 800 },
  seeds: [0],
  metric: { identical: ["base", "specialist"] },
});
