/** Stored statistics of a data set against those of its frames. */
import type { Finding } from "./lerobot_check.ts";
import { isNumeric } from "./lerobot_info.ts";
import { type LeRobotDataset, where } from "./lerobot_read.ts";
import type { QuantileRule, Statistics } from "./lerobot_statistics.ts";
import { BINS, quantileNames } from "./running_statistics.ts";

/** Both rules' statistics of the frames. */
type Computed = Readonly<Record<QuantileRule, Statistics>>;

/**
 * Compares range, moments and quantiles, the latter to two steps of LeRobot's histogram, by either rule.
 *
 * @returns findings, and which rule the stored quantiles agree with
 */
export function compareStatistics(
  { statistics: stored, info: { features }, files }: LeRobotDataset,
  computed: Computed,
): {
  readonly findings: readonly Finding[];
  readonly quantiles: QuantileRule | "both" | "neither" | undefined;
} {
  const findings: Finding[] = [];
  const path = where(files, "meta/stats.json");
  const agrees = { mean: true, envelope: true };
  let some = false;
  for (const [name, feature] of Object.entries(features)) {
    const picture = feature.dtype === "image";
    if (!isNumeric(feature) && !picture) continue;
    const own = stored?.[name], due = computed.mean[name];
    if (!due) continue;
    const bookkeeping = /^(timestamp|(frame|episode|task)?_?index)$/.test(name);
    if (!own) {
      const severity = bookkeeping ? "warning" : "error";
      findings.push({ severity, text: `${path}: statistics of "${name}" are missing` });
      continue;
    }
    const range = due.max.map((max, d) => max - due.min[d]!);
    // Pictures: LeRobot takes them from some frames, in single precision, and before 0.5 in bytes that overflow.
    const off = (key: "min" | "max" | "mean" | "std") =>
      due[key].findIndex((value, d) =>
        !(Math.abs((own[key]?.[d] ?? NaN) - value) <=
          (picture ? 1e-3 : 1e-5 * Math.abs(value) + 1e-4 * range[d]! + 1e-9))
      );
    for (const key of ["min", "max", "mean", "std"] as const) {
      const d = off(key);
      if (d < 0) continue;
      const overflow = key === "std" && (picture || !feature.dtype.startsWith("float"));
      findings.push({
        severity: overflow ? "warning" : "error",
        text:
          `${path}: ${key} of "${name}"[${d}] is ${own[key]?.[d] ?? "missing"}, its frames have ${
            due[key][d]
          }` +
          (overflow ? " (LeRobot 0.4 squares whole numbers in their own type, which overflows)" : ""),
      });
    }
    const missing = quantileNames.filter((key) => !own[key]);
    if (missing.length > 0) {
      const text = `${path}: ${
        missing.join(", ")
      } of "${name}" are missing, which quantile normalisation needs`;
      findings.push({ severity: "warning", text });
      continue;
    }
    some = true;
    const tolerance = (d: number) => 2 * range[d]! / BINS + 1e-6 * Math.abs(due.max[d]!) + 1e-9;
    const fits = (rule: QuantileRule) =>
      quantileNames.every((key) =>
        computed[rule][name]![key].every((value, d) => Math.abs(own[key]![d]! - value) <= tolerance(d))
      );
    const by = { mean: fits("mean"), envelope: fits("envelope") };
    if (!by.mean && !by.envelope) {
      const text = `${path}: quantiles of "${name}" agree with the frames' by neither of LeRobot's rules`;
      findings.push({ severity: "warning", text });
    }
    agrees.mean &&= by.mean;
    agrees.envelope &&= by.envelope;
  }
  const quantiles = !some
    ? undefined
    : agrees.mean && agrees.envelope
    ? "both"
    : agrees.mean
    ? "mean"
    : agrees.envelope
    ? "envelope"
    : "neither";
  return { findings, quantiles };
}
