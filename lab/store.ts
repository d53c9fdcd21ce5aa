/** The store: objects, outcomes by key, records of runs. Files are the truth; index.sqlite is derived from them. */
import { join, resolve } from "node:path";
import { documentHash } from "./canonical.ts";
import { names, readIfThere, Writer } from "./durable.ts";
import type { StageKey } from "./key.ts";
import { type Blob, digestOf, Objects, quarantine } from "./objects.ts";
import type { Plan } from "./plan.ts";
import { seal, unseal } from "./sealed.ts";
import { Sources } from "./sources.ts";
import type { Budget } from "./stage.ts";
import { type IndexedOutcome, StoreIndex } from "./store_index.ts";

/** A stored output. */
export interface Output extends Blob {
  /** Media type of its kind. */
  readonly mediaType: string;
}

/** One observed outcome of a key. */
export interface Outcome {
  /** Key it stands for. */
  readonly key: string;
  /** Repository-relative path of the stage's module. */
  readonly entry: string;
  /** Name in the graph that asked for it first. */
  readonly name: string;
  /** Experiment that asked for it first. */
  readonly experiment: string;
  /** Seed of its random streams. */
  readonly seed: number;
  /** What it wrote, by name. */
  readonly outputs: Readonly<Record<string, Output>>;
  /** Seconds of computing, over all attempts. */
  readonly seconds: number;
  /** Steps over all attempts. */
  readonly budget: Budget;
  /** Digest of its log, which lies beside the document. */
  readonly log: Blob;
  /** ISO 8601. */
  readonly created: string;
  /** Where it was made; memory in bytes. */
  readonly machine: {
    readonly host: string;
    readonly cores: number;
    readonly memory: number;
    readonly os: string;
    /** What programs ran on; absent in outcomes of before there was a choice. */
    readonly device?: string;
  };
}

/** A run that was asked for: what makes `show HASH` find it and `gc` keep it. */
export interface RunRecord {
  /** What was asked for, in full. */
  readonly plan: Plan;
  /** Keys by stage name, of the stages done. */
  readonly keys: Readonly<Record<string, string>>;
  /** Hash over all outputs; null until every stage is done. */
  readonly result: string | null;
  /** When it was recorded, ISO 8601. */
  readonly created: string;
}

/** One store folder. */
export class Store {
  /** The store's folder, absolute. */
  readonly directory: string;
  /** Its blobs. */
  readonly objects: Objects;
  /** Texts of the modules that stages ran. */
  readonly sources: Sources;
  /** What it knows, for quick answers. */
  readonly index: StoreIndex;
  #writer: Writer | undefined;
  readonly #note: (line: string) => void;

  private constructor(directory: string, note: (line: string) => void) {
    this.directory = directory;
    this.index = new StoreIndex(directory);
    this.objects = new Objects(directory, this.index);
    this.sources = new Sources(directory);
    this.#note = note;
  }

  /** Opens a store; `note` takes lines about damage found on the way. Its folder is made by what is first written. */
  static open(path: string, note: (line: string) => void = () => {}): Store {
    return new Store(resolve(path), note);
  }

  /** This process's place for unfinished files, opened at the first use: reading needs no writing. */
  get writer(): Writer {
    return this.#writer ??= Writer.open(this.directory);
  }

  /** The outcome that stands for a key: the first one whose outputs are all whole. Damaged files are moved aside. */
  outcome(key: string): Outcome | undefined {
    return this.#outcomes(key).find(({ outcome }) => this.#isWhole(outcome))?.outcome;
  }

  /** All outcomes of a key, the first observed first. Damaged documents are moved aside. */
  outcomes(key: string): Outcome[] {
    return this.#outcomes(key).map(({ outcome }) => outcome);
  }

  #outcomes(key: string): { number: number; outcome: Outcome }[] {
    const found: { number: number; outcome: Outcome }[] = [];
    for (const name of names(this.outcomeFolder(key))) {
      const number = outcomeNumber(name);
      if (number === undefined) continue;
      const path = join(this.outcomeFolder(key), name);
      const outcome = unseal<Outcome>(readIfThere(path) ?? new Uint8Array());
      if (outcome?.key === key) found.push({ number, outcome });
      else this.#quarantineFile(path, `${key}.outcome.${name}`, `outcome ${key}/${name}`);
    }
    return found;
  }

  #isWhole(outcome: Outcome): boolean {
    let whole = true;
    for (const [name, blob] of Object.entries(outcome.outputs)) {
      const condition = this.objects.check(blob);
      if (condition === "whole") continue;
      whole = false;
      const what = `object ${blob.digest} ("${name}" of stage "${outcome.name}")`;
      if (condition === "damaged") {
        const place = this.objects.quarantine(blob.digest);
        this.#note(`Found damaged ${what}: moved to ${place}`);
      } else this.#note(`Found no ${what}`);
    }
    return whole;
  }

  /**
   * Stores an outcome, after its outputs, and its log; returns it. The first of a key stays canonical; others are
   * evidence.
   */
  commit(key: StageKey, made: Omit<Outcome, "log">, log: Uint8Array): Outcome {
    const outcome: Outcome = { ...made, log: { digest: digestOf(log), bytes: log.length } };
    this.adopt(key, outcome, log);
    return outcome;
  }

  /** Stores an outcome as it is, e.g. one that another store made; its log may be lost. */
  adopt(key: StageKey, outcome: Outcome, log: Uint8Array | undefined): void {
    const folder = this.outcomeFolder(key.key);
    this.writer.write(join(folder, "key.json"), [seal(key)]);
    for (const { number, outcome: earlier } of this.#outcomes(key.key)) {
      // What can no longer be given back stands for nothing.
      if (this.#isWhole(earlier)) continue;
      const name = documentName(number);
      this.#quarantineFile(join(folder, name), `${key.key}.outcome.${name}`, `outcome ${key.key}/${name}`);
    }
    const taken = names(folder).map(outcomeNumber).filter((n) => n !== undefined);
    const number = Math.max(-1, ...taken) + 1;
    if (log) this.writer.write(join(folder, logName(number)), [log], { readOnly: true });
    this.writer.write(join(folder, documentName(number)), [seal(outcome)], { readOnly: true });
    this.index.addOutcomes([indexed(outcome, number)]);
  }

  /** The preimage stored with a key; undefined when there is none or it is damaged. */
  key(key: string): StageKey | undefined {
    const bytes = readIfThere(join(this.outcomeFolder(key), "key.json"));
    const stored = bytes && unseal<StageKey>(bytes);
    return stored?.key === key ? stored : undefined;
  }

  /** Every key that has a folder. */
  keys(): string[] {
    return names(join(this.directory, "outcomes")).filter((name) => /^[0-9a-f]{64}$/.test(name));
  }

  /** Brings the index in step with the files: a killed process may have stored an outcome and not indexed it. */
  refreshIndex(): void {
    const known = new Set(this.index.outcomes().map((row) => row.key));
    const present = this.keys();
    for (const key of present) {
      if (known.delete(key)) continue;
      this.index.addOutcomes(this.#outcomes(key).map(({ number, outcome }) => indexed(outcome, number)));
    }
    for (const gone of known) this.index.dropOutcomes(gone);
  }

  /** Folder of a key's documents. */
  outcomeFolder(key: string): string {
    return join(this.directory, "outcomes", key);
  }

  /** File of a running or failed stage's log. */
  logPath(key: string): string {
    return join(this.directory, "logs", `${key}.log`);
  }

  /** Remembers a run: as the newest of its definition and seed and, when it is done, beside those of earlier code. */
  record(run: RunRecord): void {
    this.remember(run);
    this.writer.write(join(this.directory, "runs", `${run.plan.definition}-${run.plan.seed}.json`), [
      seal(run),
    ]);
  }

  /** Remembers a finished run beside others of its definition and seed. */
  remember(run: RunRecord): void {
    if (run.result === null) return;
    const { definition, seed } = run.plan;
    const code = documentHash(run.keys).slice(0, 16);
    this.writer.write(join(this.directory, "history", `${definition}-${seed}-${code}.json`), [seal(run)]);
  }

  /** The record of a plan's run; undefined when there is none or it is damaged. */
  run({ definition, seed }: Pick<Plan, "definition" | "seed">): RunRecord | undefined {
    const bytes = readIfThere(join(this.directory, "runs", `${definition}-${seed}.json`));
    return bytes && unseal<RunRecord>(bytes);
  }

  /** All runs remembered; a damaged record is left out and noted, `fsck` moves it aside. */
  runs(): RunRecord[] {
    return this.#records("runs").map(({ run }) => run);
  }

  /** All finished runs, with those whose code has changed since; `file` is the record's name in history/. */
  history(): { file: string; run: RunRecord }[] {
    return this.#records("history");
  }

  #records(folder: "runs" | "history"): { file: string; run: RunRecord }[] {
    return names(join(this.directory, folder)).flatMap((file) => {
      const bytes = readIfThere(join(this.directory, folder, file));
      const run = bytes && unseal<RunRecord>(bytes);
      if (bytes && !run) this.#note(`Found damaged run ${file}: exp fsck moves it aside`);
      return run ? [{ file, run }] : [];
    });
  }

  #quarantineFile(path: string, name: string, what: string): void {
    const place = quarantine(this.directory, path, name);
    this.#note(`Found damaged ${what}: moved to ${place}`);
  }

  /** Gives up this process's place for unfinished files until it writes again. */
  stopWriting(): void {
    this.#writer?.[Symbol.dispose]();
    this.#writer = undefined;
  }

  /** Stops writing and closes the index. */
  [Symbol.dispose](): void {
    this.stopWriting();
    this.index[Symbol.dispose]();
  }
}

const documentName = (number: number) => `${String(number).padStart(4, "0")}.json`;

/** File name of an outcome's log, beside its document. */
export function logName(number: number): string {
  return `${String(number).padStart(4, "0")}.log`;
}

/** Number of an outcome document by its file name; undefined for other files. */
export function outcomeNumber(name: string): number | undefined {
  return /^\d{4,}\.json$/.test(name) ? parseInt(name) : undefined;
}

function indexed(outcome: Outcome, number: number): IndexedOutcome {
  const { key, entry, name, experiment, seed, created, seconds } = outcome;
  return { key, number, entry, name, experiment, seed, created, seconds };
}
