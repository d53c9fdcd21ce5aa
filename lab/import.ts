/** Takes an exported folder into a store. Everything is checked before the first byte is written. */
import { join } from "node:path";
import {
  type BundledStage,
  fileDigest,
  FILES,
  filesOf,
  LAYOUT,
  type Manifest,
  parseChecksums,
  places,
} from "./bundle.ts";
import { documentHash, type Json } from "./canonical.ts";
import { readIfThere, remove } from "./durable.ts";
import { firstLine, UsageError } from "./errors.ts";
import { givenTo } from "./given.ts";
import type { StageKey } from "./key.ts";
import { lockKey } from "./lock.ts";
import { moduleDigest } from "./module_graph.ts";
import { declaration } from "./plan.ts";
import { plannedKey, resultHash } from "./runner.ts";
import { unseal } from "./sealed.ts";
import type { Outcome, RunRecord, Store } from "./store.ts";

/** What an import did. */
export interface Imported {
  /** The runs that can be shown and run from the store now. */
  readonly runs: Manifest["runs"];
  /** Keys whose outcome was not there, or whose outcome here is another: that one is added as evidence. */
  readonly added: readonly string[];
  /** Keys whose outcome was there already. */
  readonly known: readonly string[];
  /** Names of stages of which this store holds other bytes; its own stay canonical. */
  readonly other: readonly string[];
}

/** What is wrong with a folder, said after its name. */
class Fault extends Error {}

interface Checked {
  readonly manifest: Manifest;
  readonly runs: readonly { readonly record: RunRecord; readonly stages: readonly BundledStage[] }[];
}

/**
 * Imports a folder, or a .tar.zst file of one. Outcomes enter the store under the same keys with the same bytes, so
 * `run` finds them. That a key gives these bytes is the word of whoever exported: `exp verify` computes them again.
 *
 * @throws {UsageError} when there is no export at `path`, something in it is damaged or does not fit together
 * @throws {StoreError} when the store cannot be written
 */
export async function importRuns(path: string, store: Store): Promise<Imported> {
  const kind = stat(path);
  if (kind?.isDirectory) return await importFolder(path, path, store);
  if (!kind?.isFile) throw new UsageError(`Cannot import ${path}: there is no such folder or file`);
  const { unpack } = await import("./archive.ts");
  const folder = join(store.writer.directory, "import");
  try {
    Deno.mkdirSync(folder);
    await unpack(path, folder);
    return await importFolder(path, folder, store);
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`Cannot import ${path}: ${firstLine(error)}`);
    throw error;
  } finally {
    remove(folder);
  }
}

function stat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

/** `name` is what errors call the folder: of an archive, its file. */
async function importFolder(name: string, folder: string, store: Store): Promise<Imported> {
  let checked: Checked;
  try {
    checked = check(folder);
  } catch (error) {
    const said = error instanceof Fault || error instanceof SyntaxError ||
      error instanceof Deno.errors.PermissionDenied;
    const reason = said ? firstLine(error) : `its documents do not fit together (${firstLine(error)})`;
    throw new UsageError(`Cannot import ${name}: ${reason}`, { cause: error });
  }
  return await take(checked, folder, store);
}

/** Reads and checks all of a folder: every byte against its checksum, every document against what it says of others. */
function check(folder: string): Checked {
  const list = readIfThere(join(folder, FILES.checksums));
  if (!list) throw new Fault(`it is not an export, ${FILES.checksums} is missing`);
  const files = parseChecksums(text(list));
  const present = filesOf(folder).filter((path) => path !== FILES.checksums);
  const foreign = present.find((path) => !files.has(path));
  if (foreign !== undefined) throw new Fault(`${foreign} is not among its checksums`);
  for (const [path, digest] of files) {
    if (!present.includes(path)) throw new Fault(`${path} is missing`);
    if (fileDigest(join(folder, path)) !== digest) throw new Fault(`${path} is damaged`);
  }
  const manifest = parseManifest(folder);
  return {
    manifest,
    runs: manifest.runs.map((listed) => {
      const record = sealed<RunRecord>(folder, listed.record);
      const { plan, result } = record;
      if (places.record(plan) !== listed.record || result !== listed.result) {
        throw new Fault(`${listed.record} is not the run that ${FILES.manifest} lists`);
      }
      if (documentHash(plainJson(declaration(plan))) !== plan.definition) {
        throw new Fault(`${listed.record} has another definition than its plan`);
      }
      const stages = checkStages(folder, record);
      const outputs = stages.map(({ stage: { name }, outcome: { outputs } }) => ({ name, outputs }));
      if (resultHash(outputs) !== result) {
        throw new Fault(`${listed.record} has another result than its outputs`);
      }
      return { record, stages };
    }),
  };
}

function parseManifest(folder: string): Manifest {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text(Deno.readFileSync(join(folder, FILES.manifest))));
  } catch {
    throw new Fault(`it is not an export, ${FILES.manifest} cannot be read`);
  }
  if (manifest?.kind !== "uplift/export") throw new Fault("it is not an export of this program");
  if (manifest.version !== LAYOUT) {
    throw new Fault(`its layout has version ${manifest.version}, this program reads version ${LAYOUT}`);
  }
  if (!Array.isArray(manifest.runs) || manifest.runs.length === 0) {
    throw new Fault(`${FILES.manifest} lists no run`);
  }
  return manifest;
}

/** The stages of a run: each key follows from its plan, its code and the outputs it read, each output is there. */
function checkStages(folder: string, { plan, keys }: RunRecord): BundledStage[] {
  const outputs = new Map<string, Outcome["outputs"]>();
  return plan.stages.map((stage): BundledStage => {
    const hash = keys[stage.name];
    if (hash === undefined || !/^[0-9a-f]{64}$/.test(hash)) {
      throw new Fault(`stage "${stage.name}" has no key`);
    }
    const path = places.key(hash);
    const key = sealed<StageKey>(folder, path);
    const code = { modules: key.modules, packages: key.preimage.packages };
    const planned = plannedKey(stage, code, (needed) => outputs.get(needed) ?? {}, key.preimage.runtime);
    if (key.key !== hash || planned.key !== hash) {
      throw new Fault(`${path} is not the key of stage "${stage.name}" as planned`);
    }
    for (const [module, digest] of Object.entries(key.modules)) checkSource(folder, module, digest);
    const outcome = sealed<Outcome>(folder, places.outcome(hash));
    if (outcome.key !== hash || Object.keys(outcome.outputs).join() !== Object.keys(stage.outputs).join()) {
      throw new Fault(`${places.outcome(hash)} is not an outcome of stage "${stage.name}"`);
    }
    for (const [name, { digest, bytes }] of Object.entries(outcome.outputs)) {
      const object = /^sha256:[0-9a-f]{64}$/.test(digest) ? places.object(digest) : "";
      const found = object && stat(join(folder, object));
      if (!found) throw new Fault(`output "${name}" of stage "${stage.name}" is missing`);
      if (found.size !== bytes || `sha256:${fileDigest(join(folder, object))}` !== digest) {
        throw new Fault(`${object} is damaged`);
      }
    }
    for (const { given } of givenTo(stage)) {
      const object = /^sha256:[0-9a-f]{64}$/.test(given) ? places.object(given) : "";
      if (!object || !stat(join(folder, object))) {
        throw new Fault(`what stage "${stage.name}" was given is missing`);
      }
      if (`sha256:${fileDigest(join(folder, object))}` !== given) throw new Fault(`${object} is damaged`);
    }
    const log = readIfThere(join(folder, places.log(hash)));
    if (log && `sha256:${fileDigest(join(folder, places.log(hash)))}` !== outcome.log.digest) {
      throw new Fault(`${places.log(hash)} is damaged`);
    }
    outputs.set(stage.name, outcome.outputs);
    return { stage, key, outcome };
  });
}

function checkSource(folder: string, module: string, digest: string): void {
  const path = places.source(digest);
  const bytes = readIfThere(join(folder, path));
  if (bytes && moduleDigest(module, bytes) !== digest) {
    throw new Fault(`${path} is not the text of ${module}`);
  }
}

function sealed<T>(folder: string, path: string): T {
  const document = unseal<T>(readIfThere(join(folder, path)) ?? new Uint8Array());
  if (document === undefined) throw new Fault(`${path} is missing or damaged`);
  return document;
}

/** Objects, then outcomes, then runs: at no instant does one name what is not there. */
async function take({ manifest, runs }: Checked, folder: string, store: Store): Promise<Imported> {
  const added: string[] = [];
  const known: string[] = [];
  const other: string[] = [];
  const stages = new Map(runs.flatMap((run) => run.stages.map((stage) => [stage.key.key, stage])));
  for (const { stage, outcome } of stages.values()) {
    const digests = Object.entries(outcome.outputs).map(([name, { digest }]) =>
      [`output "${name}"`, digest] as const
    );
    const read = givenTo(stage).map(({ kind, given }) => [kind, given] as const);
    for (const [name, digest] of [...digests, ...read]) {
      const stored = store.objects.put(Deno.readFileSync(join(folder, places.object(digest))), store.writer);
      if (stored.digest !== digest) {
        throw new UsageError(`Cannot import ${folder}: ${name} changed while it was read`);
      }
    }
  }
  for (const { stage, key, outcome } of stages.values()) {
    const holder = { pid: Deno.pid, experiment: outcome.experiment, stage: stage.name };
    using _lock = await lockKey(store.directory, key.key, holder, { interrupted: () => false });
    const same = (each: Outcome) =>
      resultHash([{ ...each, name: "" }]) === resultHash([{ ...outcome, name: "" }]);
    const canonical = store.outcome(key.key);
    if (canonical && !same(canonical)) other.push(stage.name);
    if (store.outcomes(key.key).some(same) && canonical) {
      known.push(key.key);
      continue;
    }
    for (const [module, digest] of Object.entries(key.modules)) {
      const bytes = readIfThere(join(folder, places.source(digest)));
      if (bytes && !store.sources.stored(module, digest)) store.sources.put(digest, bytes, store.writer);
    }
    store.adopt(key, outcome, readIfThere(join(folder, places.log(key.key))));
    added.push(key.key);
  }
  for (const { record } of runs) {
    const newest = store.run(record.plan);
    // A newer run of this store stays the one that its definition stands for.
    if (newest && newest.created > record.created) store.remember(record);
    else store.record(record);
  }
  return { runs: manifest.runs, added, known, other };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const plainJson = (value: Json) => JSON.parse(JSON.stringify(value)) as Json;
