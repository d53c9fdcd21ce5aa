/**
 * All runs of a store in a table of SQLite in memory: what the list of experiments is sorted, filtered and paged with.
 * It is brought up to date by the times of the records' files.
 */
import { DatabaseSync } from "node:sqlite";
import type { Reader } from "./reader.ts";
import { type Scores, scoresOf } from "./scores.ts";

/** One seed of a definition. */
export interface SeedRow {
  /** The seed. */
  readonly seed: number;
  /** Stages whose keys the record knows. */
  readonly made: number;
  /** Whether every stage was made. */
  readonly done: boolean;
  /** Success; null until it is done, and for a run without evaluations. */
  readonly scores: Scores | null;
}

/** One line of the list: a definition with its seeds. */
export interface DefinitionRow {
  /** Hash of what was declared. */
  readonly definition: string;
  /** Name of the experiment. */
  readonly experiment: string;
  /** Version of the experiment. */
  readonly version: number;
  /** Its question. */
  readonly summary: string;
  /** Stages of its graph. */
  readonly stages: number;
  /** The preset, and what files and command lines set: "path = value" texts. */
  readonly changed: readonly string[];
  /** Newest record, ISO 8601. */
  readonly created: string;
  /** Ascending. */
  readonly seeds: readonly SeedRow[];
}

/** A run that has a stage under some key. */
export interface KeyUser {
  /** Name of the experiment. */
  readonly experiment: string;
  /** Hash of what was declared. */
  readonly definition: string;
  /** Seed of the run. */
  readonly seed: number;
  /** When it was recorded, ISO 8601. */
  readonly created: string;
}

/** Columns the list can be sorted by. */
export const SORTS = ["created", "experiment", "seeds", "state", "before", "after", "uplift"] as const;
/** A column of the list. */
export type Sort = typeof SORTS[number];

/** What to list. */
export interface Query {
  /** Words that must occur in name, summary, changed settings or definition. */
  readonly text: string;
  /** Only this experiment, or "". */
  readonly experiment: string;
  /** Only finished or unfinished ones, or "". */
  readonly state: "" | "done" | "partly";
  /** Column to sort by. */
  readonly sort: Sort;
  /** Whether large values come first. */
  readonly descending: boolean;
  /** Rows to leave out before the first one, 0 or more. */
  readonly offset: number;
  /** Rows at most, 1 or more. */
  readonly limit: number;
}

const SCHEMA = `CREATE TABLE runs (
  file TEXT PRIMARY KEY, stamp TEXT, definition TEXT, experiment TEXT, version INTEGER, summary TEXT, seed INTEGER,
  stages INTEGER, made INTEGER, done INTEGER, changed TEXT, created TEXT, before REAL, after REAL, uplift REAL,
  scores TEXT, pending INTEGER, search TEXT);
  CREATE INDEX by_pending ON runs (pending) WHERE pending = 1;
  CREATE INDEX by_definition ON runs (definition);
  CREATE TABLE keys (key TEXT, file TEXT, PRIMARY KEY (key, file));
  CREATE INDEX by_file ON keys (file);`;

const ORDER: Record<Sort, string> = {
  created: "max(created)",
  experiment: "experiment",
  seeds: "count(*)",
  state: "sum(done) * 1.0 / count(*)",
  before: "avg(before)",
  after: "avg(after)",
  uplift: "avg(uplift)",
};

const REFRESH_MS = 1000;
const SCORING_MS = 50;

/** The index of one store. */
export class RunIndex {
  readonly #reader: Reader;
  readonly #database = new DatabaseSync(":memory:");
  readonly #damaged = new Set<string>();
  #refreshed = -Infinity;

  /** An index that fills at its first use. */
  constructor(reader: Reader) {
    this.#reader = reader;
    this.#database.exec(SCHEMA);
  }

  /** File names of records that cannot be read: damaged, or of another version of the store. */
  get damaged(): readonly string[] {
    return [...this.#damaged].sort();
  }

  /** Reads records that are new or changed, at most once a second unless told to. */
  refresh(must = false): void {
    if (!must && performance.now() - this.#refreshed < REFRESH_MS) return;
    const rows = this.#database.prepare("SELECT file, stamp FROM runs").all();
    const known = new Map(rows.map((row) => [row.file as string, row.stamp as string]));
    this.#damaged.clear();
    const files = this.#reader.runFiles();
    this.#database.exec("BEGIN");
    for (const { name, stamp } of files) {
      const same = known.get(name) === stamp;
      known.delete(name);
      try {
        if (!same) this.#add(name, stamp);
      } catch {
        // Sealed, and yet not what this version writes.
        this.#damaged.add(name);
      }
    }
    for (const gone of known.keys()) this.#drop(gone);
    this.#database.exec("COMMIT");
    this.#refreshed = performance.now();
  }

  #add(name: string, stamp: string): void {
    const [, definition, seed] = /^([0-9a-f]{64})-(\d+)\.json$/.exec(name)!;
    const found = this.#reader.run(definition!, Number(seed));
    if (found === "missing") return;
    if (found === "damaged") {
      this.#damaged.add(name);
      this.#drop(name);
      return;
    }
    this.#drop(name);
    const { plan, keys, result, created } = found.value;
    const changed = [
      ...(plan.request.preset === undefined ? [] : [`preset ${plan.request.preset}`]),
      ...plan.settings.filter(({ from }) => from === "params" || from === "set")
        .map(({ path, value }) => `${path} = ${JSON.stringify(value)}`),
    ];
    const told = scoresOf(found.value, this.#reader, { tables: false });
    const scores = told ?? null;
    this.#database.prepare(`INSERT OR REPLACE INTO runs VALUES (${Array(18).fill("?").join()})`).run(
      name,
      stamp,
      plan.definition,
      plan.experiment,
      plan.version,
      plan.summary,
      plan.seed,
      plan.stages.length,
      Object.keys(keys).length,
      result === null ? 0 : 1,
      JSON.stringify(changed),
      created,
      scores?.beforeRate ?? null,
      scores?.afterRate ?? null,
      scores?.uplift ?? null,
      scores && JSON.stringify(scores),
      told === undefined ? 1 : 0,
      [plan.experiment, plan.summary, ...changed, plan.definition].join(" ").toLowerCase(),
    );
    const insert = this.#database.prepare("INSERT OR IGNORE INTO keys VALUES (?, ?)");
    for (const key of Object.values(keys)) insert.run(key, name);
  }

  #drop(name: string): void {
    for (const table of ["runs", "keys"]) {
      this.#database.prepare(`DELETE FROM ${table} WHERE file = ?`).run(name);
    }
  }

  /** Runs whose scores are still to be read from their tables: sorting by scores leaves them last. */
  get pending(): number {
    return this.#database.prepare("SELECT count(*) AS n FROM runs WHERE pending = 1").get()!.n as number;
  }

  /** Reads the scores of pending runs for a while, so that no request waits for a whole store without reports. */
  #scoreSome(): void {
    const deadline = performance.now() + SCORING_MS;
    const rows = this.#database.prepare("SELECT file, definition, seed FROM runs WHERE pending = 1").all();
    for (const { file, definition, seed } of rows) {
      if (performance.now() > deadline) return;
      this.#score(file as string, definition as string, seed as number);
    }
  }

  #score(file: string, definition: string, seed: number): void {
    const found = this.#reader.run(definition, seed);
    const whole = found !== "missing" && found !== "damaged";
    const scores = whole ? scoresOf(found.value, this.#reader, { tables: true }) ?? null : null;
    this.#database.prepare(
      "UPDATE runs SET pending = 0, before = ?, after = ?, uplift = ?, scores = ? WHERE file = ?",
    ).run(
      scores?.beforeRate ?? null,
      scores?.afterRate ?? null,
      scores?.uplift ?? null,
      scores && JSON.stringify(scores),
      file,
    );
  }

  /** A page of definitions, and how many there are in all. */
  list(query: Query): { rows: DefinitionRow[]; total: number } {
    this.refresh();
    this.#scoreSome();
    const where: string[] = [];
    const values: (string | number)[] = [];
    for (const word of query.text.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 8)) {
      where.push("instr(search, ?) > 0");
      values.push(word);
    }
    if (query.experiment !== "") {
      where.push("experiment = ?");
      values.push(query.experiment);
    }
    const having = { "": "", done: "HAVING min(done) = 1", partly: "HAVING min(done) = 0" }[query.state];
    const grouped = `FROM runs ${
      where.length > 0 ? `WHERE ${where.join(" AND ")}` : ""
    } GROUP BY definition ${having}`;
    const total = this.#database.prepare(`SELECT count(*) AS n FROM (SELECT 1 ${grouped})`).get(...values)!
      .n as number;
    const order = `${ORDER[query.sort]} ${query.descending ? "DESC" : "ASC"} NULLS LAST`;
    // Equal values keep one order, so that paging shows each row once.
    const page = this.#database.prepare(
      `SELECT definition ${grouped} ORDER BY ${order}, experiment, definition LIMIT ? OFFSET ?`,
    ).all(...values, query.limit, query.offset);
    return { rows: page.flatMap(({ definition }) => this.definition(definition as string) ?? []), total };
  }

  /** One definition with its seeds; undefined when there is none. */
  definition(definition: string): DefinitionRow | undefined {
    const select = this.#database.prepare("SELECT * FROM runs WHERE definition = ? ORDER BY seed");
    for (const { pending, file, seed } of select.all(definition)) {
      if (pending === 1) this.#score(file as string, definition, seed as number);
    }
    const rows = select.all(definition);
    const first = rows[0];
    if (!first) return undefined;
    const { experiment, version, summary, stages, changed } = first;
    return {
      definition,
      experiment: experiment as string,
      version: version as number,
      summary: summary as string,
      stages: stages as number,
      changed: JSON.parse(changed as string),
      created: rows.map(({ created }) => created as string).reduce((a, b) => a >= b ? a : b),
      seeds: rows.map(({ seed, made, done, scores }) => ({
        seed: seed as number,
        made: made as number,
        done: done === 1,
        scores: scores === null ? null : JSON.parse(scores as string),
      })),
    };
  }

  /** Runs whose record holds a key, the first recorded first. */
  usersOf(key: string): KeyUser[] {
    return this.#database.prepare(
      "SELECT experiment, definition, seed, created FROM runs JOIN keys USING (file) WHERE key = ? ORDER BY created, file",
    ).all(key) as unknown as KeyUser[];
  }

  /** Names of all experiments that have a run, sorted. */
  experiments(): string[] {
    const rows = this.#database.prepare("SELECT DISTINCT experiment FROM runs ORDER BY experiment").all();
    return rows.map(({ experiment }) => experiment as string);
  }
}
