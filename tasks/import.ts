/** `exp import`: takes what `exp export` wrote into the store. */
import { resolve } from "node:path";
import { importRuns } from "../lab/import.ts";
import type { Session } from "./session.ts";
import { short, table } from "./table.ts";

/** Imports a folder or an archive, all of it or nothing. */
export async function importCommand(path: string, { store, json }: Session): Promise<number> {
  const { runs, added, known, other } = await importRuns(resolve(path), store);
  if (json) {
    console.log(JSON.stringify({ runs, added, known, other }, null, 2));
    return 0;
  }
  const rows = runs.map(({ experiment, seed, definition, result }) =>
    [experiment, seed, short(definition), short(result)] as const
  );
  console.log(table(["experiment", "seed", "definition", "result"], rows));
  console.log(`\nAdded ${added.length} outcomes, ${known.length} were known`);
  for (const stage of other) {
    console.error(`Stage "${stage}" has other bytes here: those of this store stay, run exp verify`);
  }
  return 0;
}
