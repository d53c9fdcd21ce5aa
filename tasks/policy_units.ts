/** `exp policy units`: openpi's or LeRobot's statistics as a normalisation of the store, which stages take by its digest. */
import { encodeNormalizations } from "../data/normalization.ts";
import { formulas, readNormStats, unitsOf } from "../data/norm_stats.ts";
import { firstLine, UsageError } from "../lab/errors.ts";
import type { Session } from "./session.ts";
import { table } from "./table.ts";

/** Options of `policy units` alone. */
export interface PolicyUnitsOptions {
  readonly kind?: string | undefined;
  readonly formula?: string | undefined;
}

const kinds = ["z-score", "quantile"] as const;

/** Puts the statistics of a file into the store, by the formula that the policy was trained with. */
export function policyUnitsCommand(
  path: string,
  options: PolicyUnitsOptions,
  { store, json }: Session,
): number {
  const kind = kinds.find((name) => name === options.kind);
  const formula = formulas.find((name) => name === options.formula);
  if (!kind || !formula) {
    throw new UsageError(
      `Cannot make units without knowing how the policy was trained: give --kind ${kinds.join(" or ")} and ` +
        `--formula ${formulas.join(" or ")}`,
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    throw new UsageError(`Cannot read statistics from ${path}: ${firstLine(error)}`);
  }
  const statistics = readNormStats(bytes, path);
  const units = Object.fromEntries(
    Object.entries(statistics).map(([name, each]) => [name, unitsOf(each, { kind, formula })]),
  );
  const { digest } = store.objects.put(encodeNormalizations(units), store.writer);
  if (json) console.log(JSON.stringify({ digest, kind, formula, units }, null, 2));
  else {
    const rows = Object.entries(units).map(([name, { n, center, scale }]) =>
      [
        ...[name, center.length, n || "?"],
        Math.min(...scale).toPrecision(3),
      ] as const
    );
    console.log(`${digest}\n${kind}, formula of ${formula}\n`);
    console.log(table(["vector", "numbers", "rows", "least scale"], rows));
  }
  return 0;
}
