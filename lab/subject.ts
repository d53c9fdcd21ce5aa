/** What a person names on the command line: an experiment, one of its seeds, or a stored run by the head of a hash. */
import type { Catalog } from "./catalog.ts";
import { UsageError } from "./errors.ts";
import type { Code } from "./module_graph.ts";
import type { Request } from "./overrides.ts";
import type { Plan } from "./plan.ts";
import { codeOf } from "./simulator.ts";
import { asRun, type StageStatus, status, statusOfRun } from "./status.ts";
import type { RunRecord, Store } from "./store.ts";

/** A run that somebody named, made or not. */
export interface Subject {
  /** As it was named. */
  readonly label: string;
  /** What is or was asked for. */
  readonly plan: Plan;
  /** Where each stage stands, in graph order. */
  readonly stages: readonly StageStatus[];
  /** Hash over all outputs; null unless every stage is in the store. */
  readonly result: string | null;
  /** All code that a stage reaches; undefined where neither a key nor the checkout tells. */
  code(stage: string): Code | undefined;
}

/** `NAME`, `NAME@SEED`, `HASH` or `HASH@SEED` in its parts. */
interface Named {
  readonly name: string;
  readonly seed: number | undefined;
}

/**
 * Finds what `text` names. A request applies to experiments; of a stored run everything is known.
 *
 * @throws {UsageError} when nothing or more than one thing has that name
 */
export async function findSubject(
  text: string,
  request: Request,
  { store, catalog }: { readonly store: Store; readonly catalog: Catalog },
): Promise<Subject> {
  const { name, seed } = parse(text);
  if (isHash(text, catalog)) return ofRun(text, findRun(name, seed, store), store);
  const asked = seed === undefined ? request : { ...request, seed };
  const { plan, graph } = await catalog.plan(name, asked, store);
  const stages = status(plan, graph, store);
  const planned = new Map(plan.stages.map((stage) => [stage.name, stage]));
  const code = (name: string) => {
    const stage = planned.get(name);
    return stage && codeOf(stage, graph);
  };
  return { label: text, plan, stages, result: asRun(stages)?.result ?? null, code };
}

/** Whether a text names a stored run by the head of a hash, not an experiment. */
export function isHash(text: string, catalog: Catalog): boolean {
  const { name } = parse(text);
  return /^[0-9a-f]{6,64}$/.test(name) && !catalog.names.includes(name);
}

/** A remembered run as a subject. */
export function ofRun(label: string, run: RunRecord, store: Store): Subject {
  const stages = statusOfRun(run.plan, run.keys, store);
  const code = (stage: string): Code | undefined => {
    const key = stages.find((each) => each.stage.name === stage)?.key;
    return key ? { modules: key.modules, packages: key.preimage.packages } : undefined;
  };
  return { label, plan: run.plan, stages, result: asRun(stages)?.result ?? null, code };
}

/**
 * The run of which a definition, a result or a stage's key begins with `head`: the newest where code changed under one
 * definition, or where several runs share a stage.
 *
 * @throws {UsageError} when there is none, when `head` begins several hashes, or when it stands for several seeds
 */
export function findRun(head: string, seed: number | undefined, store: Store): RunRecord {
  const runs = [...store.runs(), ...store.history().map(({ run }) => run)];
  const found = new Map<string, RunRecord[]>();
  for (const run of runs) {
    const { definition } = run.plan;
    const hashes = [definition, run.result ?? "", ...Object.values(run.keys)];
    for (const hash of new Set(hashes)) {
      if (hash.startsWith(head)) found.set(hash, [...found.get(hash) ?? [], run]);
    }
  }
  if (found.size === 0) {
    throw new UsageError(`Cannot find a run by "${head}": exp list shows the experiments`);
  }
  if (found.size > 1) {
    const all = [...found.keys()].map((hash) => hash.slice(0, head.length + 6));
    throw new UsageError(`Cannot tell what "${head}" means: there are ${all.join(", ")}, give more digits`);
  }
  const [[hash, matches]] = found as unknown as [[string, RunRecord[]]];
  const seeds = [...new Set(matches.map(({ plan }) => plan.seed))].sort((a, b) => a - b);
  const wanted = matches.filter(({ plan }) => seed === undefined || plan.seed === seed);
  if (wanted.length === 0) {
    throw new UsageError(`Cannot find seed ${seed} of "${head}": it was run with ${seeds.join(", ")}`);
  }
  // A definition is the same for every seed, and so is the key of a stage that seeds share.
  if (seed === undefined && seeds.length > 1) {
    const names = seeds.map((each) => `${hash.slice(0, 12)}@${each}`);
    throw new UsageError(`Cannot tell which seed of "${head}" is meant: name one of ${names.join(", ")}`);
  }
  return wanted.reduce((a, b) => a.created >= b.created ? a : b);
}

function parse(text: string): Named {
  const at = text.lastIndexOf("@");
  if (at < 0) return { name: text, seed: undefined };
  const digits = text.slice(at + 1);
  const seed = /^\d+$/.test(digits) ? Number(digits) : NaN;
  if (!Number.isSafeInteger(seed)) {
    throw new UsageError(`Cannot use seed "${digits}" in "${text}": seeds are non-negative integers`);
  }
  return { name: text.slice(0, at), seed };
}
