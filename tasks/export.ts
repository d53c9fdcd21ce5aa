/** `exp export`: finished runs as a folder, or one compressed file, that can be carried away. */
import { resolve } from "node:path";
import { type Exported, exportRuns } from "../lab/export.ts";
import { findSubject, isHash } from "../lab/subject.ts";
import { type RequestOptions, requests, type Session } from "./session.ts";
import { short, size, table } from "./table.ts";

/** Exports an experiment (with --seed, of several seeds) or a stored run by the head of a hash. */
export async function exportCommand(
  subject: string,
  target: string,
  options: RequestOptions,
  session: Session,
): Promise<number> {
  const { store, catalog, json } = session;
  const asked = isHash(subject, catalog) ? [{ set: [] }] : await requests(options);
  const subjects = [];
  for (const request of asked) subjects.push(await findSubject(subject, request, session));
  const path = resolve(target);
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
