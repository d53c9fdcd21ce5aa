/** `exp export`: finished runs as a folder, or one compressed file, that can be carried away. */
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../lab/errors.ts";
import { type Exported, exportRuns, writeFolder } from "../lab/export.ts";
import { findSubject, isHash, type Subject } from "../lab/subject.ts";
import { type RequestOptions, requests, type Session } from "./session.ts";
import { short, size, table } from "./table.ts";

/** Options of `export` alone. */
export interface ExportOptions extends RequestOptions {
  readonly metrics?: true | undefined;
}

/** Exports an experiment (with --seed, of several seeds) or a stored run by the head of a hash. */
export async function exportCommand(
  subject: string,
  target: string,
  options: ExportOptions,
  session: Session,
): Promise<number> {
  const { store, catalog, json } = session;
  const asked = isHash(subject, catalog) ? [{ set: [] }] : await requests(options);
  const subjects = [];
  for (const request of asked) subjects.push(await findSubject(subject, request, session));
  const path = resolve(target);
  if (options.metrics) return await exportMetrics(subjects, path, session);
  let written: Exported;
  if (path.endsWith(".tar.zst")) {
    const { exportArchive } = await import("../lab/archive.ts");
    written = await exportArchive(subjects, path, store);
  } else written = exportRuns(subjects, path, store);
  const { files, bytes, runs } = written;
  if (json) console.log(JSON.stringify({ path, files, bytes, runs }, null, 2));
  else {
    const rows = runs.map(({ experiment, seed, definition, result }) =>
      [experiment, seed, short(definition), short(result)] as const
    );
    console.log(table(["experiment", "seed", "definition", "result"], rows));
    console.log(`\nWrote ${files} files, ${size(bytes)}, to ${path}`);
  }
  return 0;
}

/** Writes what other tools plot: CSV, JSON and TensorBoard events. Runs that are not finished give what they have. */
async function exportMetrics(subjects: readonly Subject[], path: string, session: Session): Promise<number> {
  const { metricsFiles } = await import("../results/metrics_export.ts");
  const files = metricsFiles(subjects, session.store);
  const made = subjects.flatMap(({ stages }) => stages).some(({ outcome }) => outcome);
  if (!made) {
    throw new UsageError(
      `Cannot export metrics of ${subjects[0]!.label}: nothing is in the store, run it first`,
    );
  }
  writeFolder(path, (temporary) => {
    for (const [name, bytes] of files) {
      Deno.mkdirSync(dirname(join(temporary, name)), { recursive: true });
      Deno.writeFileSync(join(temporary, name), bytes);
    }
  });
  const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  if (session.json) console.log(JSON.stringify({ path, files: [...files.keys()], bytes }, null, 2));
  else console.log(`Wrote ${files.size} files, ${size(bytes)}, to ${path}`);
  return 0;
}
