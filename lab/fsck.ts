/** Checks every byte of a store. What is damaged is moved aside, never deleted, and made again by the next run. */
import { join } from "node:path";
import { documentHash, type Json } from "./canonical.ts";
import { checkpointFolder, checkpointPath, readCheckpoint } from "./checkpoint.ts";
import { names, readIfThere } from "./durable.ts";
import { type Blob, digestOf, quarantine } from "./objects.ts";
import { unseal } from "./sealed.ts";
import { logName, type Outcome, outcomeNumber, type RunRecord, type Store } from "./store.ts";
import type { StageKey } from "./key.ts";

/** One thing that is wrong. */
export interface Damage {
  /** What sort of thing it is. */
  readonly kind: "object" | "outcome" | "log" | "key" | "checkpoint" | "run" | "source";
  /** Digest of an object, or the store-relative path of a document. */
  readonly name: string;
  /** Its bytes do not match, or there is no file. */
  readonly problem: "damaged" | "missing";
  /** Stages ("experiment/stage") whose outcome holds the object. */
  readonly stages: readonly string[];
  /** Where the file went; null when there was none to move. */
  readonly quarantined: string | null;
}

/** What a check found. */
export interface Checked {
  /** Objects read. */
  readonly objects: number;
  /** Size of all objects read. */
  readonly bytes: number;
  /** Outcomes that are whole. */
  readonly outcomes: number;
  /** Checkpoints read. */
  readonly checkpoints: number;
  /** All that is wrong; empty for a sound store. */
  readonly damage: readonly Damage[];
}

/**
 * Re-hashes all objects and documents, moves damaged ones into quarantine/ and rebuilds the index.
 *
 * @throws {StoreError} when a damaged file cannot be moved
 */
export function fsck(store: Store): Checked {
  const damage: Damage[] = [];
  const moveAside = (kind: Damage["kind"], path: string, name: string) => {
    const quarantined = quarantine(store.directory, join(store.directory, path), name);
    damage.push({ kind, name: path, problem: "damaged", stages: [], quarantined });
  };
  const outcomes = readOutcomes(store, moveAside);
  const wanted = new Map<string, { bytes: number; stages: Set<string> }>();
  for (const { experiment, name, outputs } of outcomes) {
    for (const { digest, bytes } of Object.values<Blob>(outputs)) {
      const entry = wanted.get(digest) ?? { bytes, stages: new Set() };
      wanted.set(digest, entry);
      entry.stages.add(`${experiment}/${name}`);
    }
  }
  const { digests, stray } = store.objects.list();
  let bytes = 0;
  for (const digest of digests) {
    const stages = [...wanted.get(digest)?.stages ?? []];
    wanted.delete(digest);
    const contents = Deno.readFileSync(store.objects.path(digest));
    bytes += contents.length;
    if (digestOf(contents) === digest) continue;
    const quarantined = store.objects.quarantine(digest);
    damage.push({ kind: "object", name: digest, problem: "damaged", stages, quarantined });
  }
  for (const [digest, { stages }] of wanted) {
    damage.push({ kind: "object", name: digest, problem: "missing", stages: [...stages], quarantined: null });
  }
  for (const path of stray) moveAside("object", path.slice(store.directory.length + 1), "stray");
  for (const folder of ["runs", "history"]) {
    for (const name of names(join(store.directory, folder))) {
      if (!unseal<RunRecord>(read(join(store.directory, folder, name)))) {
        moveAside("run", join(folder, name), `run.${name}`);
      }
    }
  }
  checkSources(store, moveAside);
  const checkpoints = names(join(store.directory, "checkpoints"));
  for (const key of checkpoints) {
    const folder = checkpointFolder(store.directory, key);
    if (readCheckpoint(folder) !== "damaged") continue;
    moveAside("checkpoint", checkpointPath(folder).slice(store.directory.length + 1), `${key}.checkpoint`);
  }
  store.index.clearOutcomes();
  store.refreshIndex();
  return {
    objects: digests.length,
    bytes,
    outcomes: outcomes.length,
    checkpoints: checkpoints.length,
    damage,
  };
}

/** A module's text has the digest under which some key knows it; what no key knows is left to gc. */
function checkSources(store: Store, moveAside: (kind: "source", path: string, name: string) => void): void {
  const paths = new Map<string, string>();
  for (const key of store.keys()) {
    for (const [path, digest] of Object.entries(store.key(key)?.modules ?? {})) paths.set(digest, path);
  }
  for (const digest of store.sources.list()) {
    const path = paths.get(digest);
    if (path === undefined || store.sources.stored(path, digest)) continue;
    moveAside("source", store.sources.path(digest).slice(store.directory.length + 1), `${digest}.source`);
  }
}

function readOutcomes(
  store: Store,
  moveAside: (kind: Damage["kind"], path: string, name: string) => void,
): Outcome[] {
  const outcomes: Outcome[] = [];
  for (const key of store.keys()) {
    const folder = join("outcomes", key);
    const all = names(join(store.directory, folder)).filter((name) => outcomeNumber(name) !== undefined);
    for (const name of all) {
      const outcome = unseal<Outcome>(read(join(store.directory, folder, name)));
      if (outcome?.key !== key) {
        moveAside("outcome", join(folder, name), `${key}.outcome.${name}`);
        continue;
      }
      outcomes.push(outcome);
      const log = join(folder, logName(outcomeNumber(name)!));
      const bytes = readIfThere(join(store.directory, log));
      // A log that is gone is a pity, not damage: no result needs it.
      if (bytes && digestOf(bytes) !== outcome.log.digest) moveAside("log", log, `${key}.log`);
    }
    const bytes = readIfThere(join(store.directory, folder, "key.json"));
    if (!bytes) continue;
    const stored = unseal<StageKey>(bytes);
    if (stored?.key === key && documentHash(stored.preimage as unknown as Json) === key) continue;
    moveAside("key", join(folder, "key.json"), `${key}.key.json`);
  }
  return outcomes;
}

const read = (path: string) => Deno.readFileSync(path);
