/** Writes runs with all that stands behind them into a folder that can be carried away. */
import { dirname, join } from "node:path";
import {
  type BundledRun,
  type BundledStage,
  checksums,
  FILES,
  filesOf,
  LAYOUT,
  type Manifest,
  places,
} from "./bundle.ts";
import { canonical, type Json, sha256 } from "./canonical.ts";
import { names, readIfThere, remove, storeError } from "./durable.ts";
import { UsageError } from "./errors.ts";
import { givenTo } from "./given.ts";
import { declaration } from "./plan.ts";
import { crate } from "./ro_crate.ts";
import { seal } from "./sealed.ts";
import { statement } from "./statement.ts";
import type { Store } from "./store.ts";
import type { Subject } from "./subject.ts";

/** What was written. */
export interface Exported {
  /** Files in the folder. */
  readonly files: number;
  /** Their size in all. */
  readonly bytes: number;
  /** The runs in it. */
  readonly runs: Manifest["runs"];
}

/**
 * Exports finished runs. The folder appears whole or not at all.
 *
 * @throws {UsageError} when the folder is there already, or a run is not finished
 * @throws {StoreError} when an object is damaged or the folder cannot be written
 */
export function exportRuns(subjects: readonly Subject[], folder: string, store: Store): Exported {
  const runs = subjects.map((subject) => bundled(subject, store));
  return writeFolder(folder, (temporary) => write(runs, temporary, store));
}

/**
 * Makes a folder that appears whole or not at all.
 *
 * @throws {UsageError} when it is there already
 * @throws {StoreError} when it cannot be written
 */
export function writeFolder<T>(folder: string, write: (temporary: string) => T): T {
  if (readable(folder)) throw new UsageError(`Cannot export to ${folder}: it is there already`);
  const temporary = join(dirname(folder), `.${crypto.randomUUID()}.tmp`);
  try {
    Deno.mkdirSync(temporary, { recursive: true });
    const written = write(temporary);
    Deno.renameSync(temporary, folder);
    return written;
  } catch (error) {
    throw storeError(`export to ${folder}`, error);
  } finally {
    remove(temporary);
  }
}

function readable(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw storeError(`export to ${path}`, error);
  }
}

/** A subject whose stages are all in the store. */
function bundled({ label, plan, stages, result }: Subject, store: Store): BundledRun {
  const missing = stages.filter(({ key, outcome }) => !key || !outcome).map(({ stage }) => stage.name);
  if (result === null || missing.length > 0) {
    const what = missing.length === 1 ? `stage "${missing[0]}" is` : `stages ${missing.join(", ")} are`;
    throw new UsageError(`Cannot export ${label}: ${what} not in the store, run it first`);
  }
  const all = stages.map(({ stage, key, outcome }): BundledStage => ({
    stage,
    key: key!,
    outcome: outcome!,
  }));
  const keys = Object.fromEntries(all.map(({ stage, key }) => [stage.name, key.key]));
  const known = [store.run(plan), ...store.history().map(({ run }) => run)].find((run) =>
    run?.result === result && JSON.stringify(run.keys) === JSON.stringify(keys)
  );
  const created = all.map(({ outcome }) => outcome.created).sort().at(-1)!;
  return { record: { plan, keys, created: known?.created ?? created, result }, stages: all };
}

function write(runs: readonly BundledRun[], folder: string, store: Store): Exported {
  const digests = new Map<string, string>();
  const sizes = new Map<string, number>();
  const put = (path: string, bytes: Uint8Array) => {
    if (digests.has(path)) return;
    Deno.mkdirSync(dirname(join(folder, path)), { recursive: true });
    Deno.writeFileSync(join(folder, path), bytes, { createNew: true });
    digests.set(path, sha256(bytes));
    sizes.set(path, bytes.length);
  };
  const document = (path: string, value: unknown) => put(path, encode(JSON.stringify(value, null, 2) + "\n"));
  for (const { record, stages } of runs) {
    put(places.record(record.plan), seal(record));
    // Canonical text: the file's own digest is the definition.
    put(places.definition(record.plan.definition), encode(canonical(plain(declaration(record.plan)))));
    for (const { stage, key, outcome } of stages) {
      put(places.key(key.key), seal(key));
      put(places.outcome(key.key), seal(outcome));
      const text = log(key.key, outcome.log.digest, store);
      if (text) put(places.log(key.key), text);
      document(places.statement(key.key), statement(key, outcome));
      const read = givenTo(stage).map(({ given }) => given);
      for (const digest of [...Object.values(outcome.outputs).map(({ digest }) => digest), ...read]) {
        if (!digests.has(places.object(digest))) put(places.object(digest), store.objects.read(digest));
      }
      for (const [path, digest] of Object.entries(key.modules)) {
        const source = digests.has(places.source(digest)) ? undefined : store.sources.stored(path, digest);
        if (source) put(places.source(digest), source);
      }
    }
    copyReport(record.plan, store, put);
  }
  const listed = runs.map(({ record: { plan, result } }) => {
    const { experiment, seed, definition } = plan;
    return { experiment, seed, definition, result, record: places.record(plan) };
  });
  const manifest: Manifest = { kind: "uplift/export", version: LAYOUT, runs: listed };
  document(FILES.manifest, manifest);
  put(FILES.readme, encode(readme(runs)));
  document(FILES.crate, crate({ runs, files: new Map(sizes) }));
  const list = encode(checksums(digests));
  Deno.writeFileSync(join(folder, FILES.checksums), list, { createNew: true });
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, list.length);
  return { files: sizes.size + 1, bytes, runs: listed };
}

/** The log that belongs to an outcome, whatever its number is in the store; a lost one is a pity, not damage. */
function log(key: string, digest: string, store: Store): Uint8Array | undefined {
  const folder = store.outcomeFolder(key);
  for (const name of names(folder).filter((name) => name.endsWith(".log"))) {
    const bytes = readIfThere(join(folder, name));
    if (bytes && `sha256:${sha256(bytes)}` === digest) return bytes;
  }
  return undefined;
}

function copyReport(
  { definition, seed }: { definition: string; seed: number },
  store: Store,
  put: (path: string, bytes: Uint8Array) => void,
): void {
  const name = `${definition}-${seed}`;
  const folder = join(store.directory, "reports", name);
  if (names(folder).length === 0) return;
  for (const path of filesOf(folder)) put(`reports/${name}/${path}`, Deno.readFileSync(join(folder, path)));
}

function readme(runs: readonly BundledRun[]): string {
  const rows = runs.flatMap(({ record: { plan }, stages }) =>
    stages.flatMap(({ stage, outcome }) =>
      Object.entries(outcome.outputs).map(([name, { digest, mediaType }]) =>
        `| ${plan.seed} | ${stage.name}/${name} | ${mediaType} | ${places.object(digest)} |`
      )
    )
  );
  const lines = runs.map(({ record: { plan, result } }) =>
    `- ${plan.experiment} version ${plan.version}, seed ${plan.seed}: definition \`${plan.definition}\`, ` +
    `result \`${result}\``
  );
  return [
    `# ${[...new Set(runs.map(({ record }) => record.plan.experiment))].join(", ")}`,
    [...new Set(runs.map(({ record }) => record.plan.summary))].join("\n\n"),
    lines.join("\n"),
    "`exp import FOLDER` takes these results into a store, `sha256sum -c checksums.sha256` checks them, and " +
    "`ro-crate-metadata.json` describes them as a Workflow Run RO-Crate.",
    ["| seed | output | type | file |", "| ---: | --- | --- | --- |", ...rows].join("\n"),
  ].join("\n\n") + "\n";
}

const encode = (text: string) => new TextEncoder().encode(text);
const plain = (value: Json) => JSON.parse(JSON.stringify(value)) as Json;
