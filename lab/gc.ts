/** Drops what nothing reaches: no experiment as it stands, under any request made so far, and no pin. */
import { join } from "node:path";
import type { Catalog } from "./catalog.ts";
import { exclusively, names, remove } from "./durable.ts";
import { UsageError } from "./errors.ts";
import { givenTo } from "./given.ts";
import { removeFreeLocks } from "./lock.ts";
import type { Request } from "./overrides.ts";
import type { Plan } from "./plan.ts";
import { status } from "./status.ts";
import type { Outcome, RunRecord, Store } from "./store.ts";

/** An outcome folder to drop. */
export interface Dropped {
  /** The key whose outcomes go. */
  readonly key: string;
  /** Experiment that asked for it first. */
  readonly experiment: string;
  /** Name of the stage in that experiment's graph. */
  readonly name: string;
  /** When it was made, ISO 8601. */
  readonly created: string;
}

/** What a collection drops, or would. */
export interface Collection {
  /** What no experiment or pin reaches. */
  readonly outcomes: readonly Dropped[];
  /** Digests of objects no kept outcome holds. */
  readonly objects: readonly string[];
  /** Size of those objects. */
  readonly bytes: number;
  /** Store-relative paths of records, reports, checkpoints and logs. */
  readonly files: readonly string[];
  /** Keys that stay. */
  readonly kept: number;
}

/**
 * Finds what to drop and, if told so, drops it. Pins are files in pins/ named by a key, a definition or a result.
 *
 * @throws {StoreError} when another process writes to the store
 */
export async function collect(
  catalog: Catalog,
  store: Store,
  { drop }: { drop: boolean },
): Promise<Collection> {
  const runs = store.runs();
  const { keys, kept, given } = await reach(catalog, runs, store);
  const earlier = store.history();
  store.stopWriting();
  return exclusively(store.directory, () => {
    const found = find({ keys, given }, new Set(kept.map(runName)), earlier, store);
    if (drop) {
      dropAll(found, store);
      removeFreeLocks(store.directory, names(join(store.directory, "locks")));
    }
    return found;
  });
}

/** Keys that experiments or pins reach, the objects they are given, and the runs that are still asked for. */
async function reach(catalog: Catalog, runs: readonly RunRecord[], store: Store) {
  const keys = new Set<string>();
  const given = new Set<string>();
  const kept: RunRecord[] = [];
  const hold = ({ stages }: Plan) => {
    for (const { given: digest } of stages.flatMap(givenTo)) given.add(digest);
  };
  const add = async (name: string, request: Request) => {
    const { plan, graph } = await catalog.plan(name, request, store);
    for (const { key } of status(plan, graph, store)) if (key) keys.add(key.key);
    hold(plan);
    return plan;
  };
  for (const name of catalog.names) {
    const { seeds, presets } = await add(name, { set: [] });
    for (const seed of seeds) {
      await add(name, { set: [], seed });
      for (const preset of presets) await add(name, { set: [], seed, preset });
    }
  }
  const pins = new Set(names(join(store.directory, "pins")));
  for (const pin of pins) keys.add(pin);
  for (const { run } of store.history()) {
    if (!pins.has(run.result!)) continue;
    for (const key of Object.values(run.keys)) keys.add(key);
    hold(run.plan);
  }
  for (const run of runs) {
    const { experiment, request, seed, definition, version } = run.plan;
    if (pins.has(definition) || (run.result !== null && pins.has(run.result))) {
      for (const key of Object.values(run.keys)) keys.add(key);
      hold(run.plan);
      kept.push(run);
      continue;
    }
    if (!catalog.names.includes(experiment)) continue;
    try {
      const plan = await add(experiment, { ...request, seed });
      if (plan.version !== version) continue;
      kept.push(run);
      // Without its simulator or device a stage has no key now: what was made with it stays, and what was made from that.
      if (plan.stages.every(({ simulator, device }) => !(simulator?.missing ?? device?.missing))) continue;
      for (const key of Object.values(run.keys)) keys.add(key);
    } catch (error) {
      // The experiment no longer has what this run asked for.
      if (!(error instanceof UsageError)) throw error;
    }
  }
  return { keys, kept, given };
}

function find(
  { keys, given }: { readonly keys: ReadonlySet<string>; readonly given: ReadonlySet<string> },
  runs: ReadonlySet<string>,
  earlier: ReturnType<Store["history"]>,
  store: Store,
): Collection {
  const outcomes: Dropped[] = [];
  const held = new Set(given);
  const all = store.keys();
  for (const key of all) {
    const stored: Outcome[] = store.outcomes(key);
    if (keys.has(key)) {
      for (const { outputs } of stored) for (const { digest } of Object.values(outputs)) held.add(digest);
    } else {
      const { experiment = "", name = "", created = "" } = stored[0] ?? {};
      outcomes.push({ key, experiment, name, created });
    }
  }
  const objects = store.objects.list().digests.filter((digest) => !held.has(digest));
  const bytes = objects.reduce((sum, digest) => sum + Deno.statSync(store.objects.path(digest)).size, 0);
  const files: string[] = [];
  const stale = (folder: string, keep: (name: string) => boolean) => {
    for (const name of names(join(store.directory, folder))) if (!keep(name)) files.push(join(folder, name));
  };
  stale("runs", (name) => runs.has(name.replace(/\.json$/, "")));
  const whole = earlier.filter(({ run }) => Object.values(run.keys).every((key) => keys.has(key)));
  const remembered = new Set(whole.map(({ file }) => file));
  stale("history", (name) => remembered.has(name));
  const code = new Set(all.filter((key) => keys.has(key)).flatMap((key) => modules(key, store)));
  for (const digest of store.sources.list()) {
    if (!code.has(digest)) files.push(store.sources.path(digest).slice(store.directory.length + 1));
  }
  stale("progress", (name) => runs.has(name.replace(/\.json$/, "")));
  const definitions = new Set([...runs].map((run) => run.split("-")[0]));
  stale("reports", (name) => definitions.has(name.split("-")[0]));
  const done = new Set(all.filter((key) => store.outcomes(key).length > 0));
  stale("checkpoints", (key) => keys.has(key) && !done.has(key));
  stale("logs", (name) => keys.has(name.replace(/\.log$/, "")));
  return { outcomes, objects, bytes, files, kept: all.length - outcomes.length };
}

function dropAll({ outcomes, objects, files }: Collection, store: Store): void {
  // Outcomes before objects: at no instant does an outcome name an object that is gone.
  for (const { key } of outcomes) {
    const trash = join(store.directory, "tmp", `dropped-${key}`);
    Deno.mkdirSync(join(store.directory, "tmp"), { recursive: true });
    Deno.renameSync(store.outcomeFolder(key), trash);
    remove(trash);
    store.index.dropOutcomes(key);
  }
  for (const digest of objects) {
    store.index.dropVerified(digest);
    remove(store.objects.path(digest));
  }
  for (const path of files) remove(join(store.directory, path));
  remove(join(store.directory, "cache"));
}

const modules = (key: string, store: Store) => Object.values(store.key(key)?.modules ?? {});
const runName = ({ plan }: RunRecord) => `${plan.definition}-${plan.seed}`;
