/** The code behind two runs, compared: modules with their texts where a store kept them, packages, runtime. */
import type { Json } from "../lab/canonical.ts";
import type { Preimage } from "../lab/key.ts";
import type { Store } from "../lab/store.ts";
import type { Subject } from "../lab/subject.ts";
import { unifiedDiff } from "./text_difference.ts";

/** A module that stages of the same name reach on one side only, or in two forms. */
export interface ModuleDifference {
  /** Repository-relative path. */
  readonly path: string;
  /** What became of it. */
  readonly change: "added" | "removed" | "changed";
  /** Stages that reach it, in graph order. */
  readonly stages: readonly string[];
  /** Hunks as `diff -u` prints them; null where a text is unavailable, and for modules that only one side reaches. */
  readonly text: string | null;
  /** Sides of a changed module of which nobody kept the text. */
  readonly unavailable: readonly ("a" | "b")[];
}

/** Something named whose value differs; null where a side has none. */
export interface NamedDifference {
  /** What it is. */
  readonly name: string;
  /** The first value. */
  readonly a: string | null;
  /** The second value. */
  readonly b: string | null;
  /** Stages it concerns, in graph order. */
  readonly stages: readonly string[];
}

/** How the code of two runs differs. */
export interface CodeDifference {
  /** Modules in the order of the stages that reach them. */
  readonly modules: readonly ModuleDifference[];
  /** Packages by their identity in deno.lock, values are their integrity. */
  readonly packages: readonly NamedDifference[];
  /** Deno, operating system, architecture, threads, the simulator's fingerprint. */
  readonly runtime: readonly NamedDifference[];
}

/** Compares the code of stages that both runs have; that of other stages belongs to the graph. */
export function codeDifference(a: Subject, b: Subject, store: Store): CodeDifference {
  const modules = new Gathered();
  const packages = new Gathered();
  const runtime = new Gathered();
  for (const { stage, key } of a.stages) {
    const other = b.stages.find((each) => each.stage.name === stage.name);
    const [left, right] = [a.code(stage.name), b.code(stage.name)];
    if (!other || !left || !right) continue;
    modules.add(stage.name, left.modules, right.modules);
    packages.add(stage.name, left.packages, right.packages);
    if (key && other.key) {
      runtime.add(stage.name, flat(key.preimage.runtime), flat(other.key.preimage.runtime));
    }
  }
  return {
    modules: modules.list().map(({ name: path, a, b, stages }) => {
      if (a === null || b === null) {
        const change = a === null ? "added" as const : "removed" as const;
        return { path, change, stages, text: null, unavailable: [] };
      }
      const [before, after] = [a, b].map((digest) => store.sources.read(path, digest));
      const text = before === undefined || after === undefined ? null : unifiedDiff(before, after);
      const unavailable = [
        ...(before === undefined ? ["a" as const] : []),
        ...(after === undefined ? ["b" as const] : []),
      ];
      return { path, change: "changed" as const, stages, text, unavailable };
    }),
    packages: packages.list(),
    runtime: runtime.list(),
  };
}

/** The numbers and texts of a document by dotted path. */
function flat(document: Json | Preimage["runtime"], path = ""): Record<string, string> {
  if (typeof document !== "object" || document === null) return { [path]: String(document) };
  const inner = Object.entries(document).map(([name, value]) => flat(value, path ? `${path}.${name}` : name));
  return Object.assign({}, ...inner);
}

/** Differences of named values over stages: one that several stages share is listed once. */
class Gathered {
  readonly #found = new Map<string, { name: string; a: string | null; b: string | null; stages: string[] }>();

  add(
    stage: string,
    a: Readonly<Record<string, string | number>>,
    b: Readonly<Record<string, string | number>>,
  ): void {
    for (const name of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
      if (a[name] === b[name]) continue;
      const [left, right] = [a, b].map((each) => each[name] === undefined ? null : String(each[name]));
      const id = JSON.stringify([name, left, right]);
      const known = this.#found.get(id);
      if (known) known.stages.push(stage);
      else this.#found.set(id, { name, a: left!, b: right!, stages: [stage] });
    }
  }

  list(): NamedDifference[] {
    return [...this.#found.values()];
  }
}
