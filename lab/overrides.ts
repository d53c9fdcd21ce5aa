/** Hyperparameters of a run: defaults < the experiment's overrides < preset < --params < --set, each typed by the schema. */
import { z } from "zod";
import type { Json } from "./canonical.ts";
import { UsageError } from "./errors.ts";
import type { Experiment } from "./experiment.ts";
import { suggestion } from "./nearest.ts";

/** What a person asks of an experiment, beside its name. Plain JSON: it is part of cached plans. */
export interface Request {
  /** Seed of the run; the experiment's first by default. */
  readonly seed?: number;
  /** Name of one of the experiment's presets. */
  readonly preset?: string;
  /** `path=value` texts, in order. */
  readonly set: readonly string[];
  /** The parsed --params file. */
  readonly params?: Json;
  /** What stages run programs on: a device of the engine, or "auto"; the CPU when left out. */
  readonly device?: string;
}

/** One value set away from the method's default. */
export interface Setting {
  /** Dotted path, e.g. "learner.rewardScale". */
  readonly path: string;
  /** The value that was set. */
  readonly value: Json;
  /** Who set it. */
  readonly from: "experiment" | "preset" | "params" | "set";
  /** Why; of a preset, its name. */
  readonly reason?: string;
}

/** Hyperparameters in full, and which of them somebody set. */
export interface Resolved {
  /** All values, as the schema parsed them. */
  readonly hyperparameters: Json;
  /** In the order of setting: later ones win. */
  readonly settings: readonly Setting[];
  /** What there is to set, in the schema's order. */
  readonly parameters: readonly Parameter[];
}

/** A hyperparameter, as its schema declares it. */
export interface Parameter {
  /** Dotted path, e.g. "learner.gamma". */
  readonly path: string;
  /** Words for the values it takes: "a number >= 0 and <= 1". */
  readonly allowed: string;
  /** What it is; empty where the schema does not say. */
  readonly description: string;
  /** The method's own value; absent where the schema has none, and in records of older plans. */
  readonly default?: Json;
}

type Schema = z.core.JSONSchema.BaseSchema;

/**
 * The experiment's hyperparameters under a request.
 *
 * @throws {UsageError} when a preset or path is unknown, or a value has the wrong type or is out of range
 */
export function resolve(experiment: Experiment, request: Request): Resolved {
  const schema = z.toJSONSchema(experiment.hyperparameters, { io: "input", unrepresentable: "any" });
  const settings: Setting[] = [];
  const add = (path: string, value: Json, rest: Omit<Setting, "path" | "value">) => {
    find(schema, path);
    settings.push({ path, value, ...rest });
  };
  for (const { path, value, reason } of experiment.overrides ?? []) {
    add(path, value, { from: "experiment", reason });
  }
  for (const [path, value] of Object.entries(presetValues(experiment, request.preset))) {
    add(path, value, { from: "preset", reason: request.preset! });
  }
  for (const [path, value] of flatten(schema, request.params ?? {}, "")) add(path, value, { from: "params" });
  for (const text of request.set) {
    const [path, value] = parseSetting(schema, text);
    add(path, value, { from: "set" });
  }
  const raw = skeleton(schema);
  for (const { path, value } of settings) assign(raw, path.split("."), value);
  const parsed = experiment.hyperparameters.safeParse(raw);
  if (parsed.success) {
    const declared = experiment.hyperparameters.safeParse(skeleton(schema));
    const defaults = declared.success ? declared.data as Json : undefined;
    return { hyperparameters: parsed.data as Json, settings, parameters: parameters(schema, defaults) };
  }
  const issue = parsed.error.issues[0]!;
  const path = issue.path.join(".");
  const node = issue.code === "custom" ? undefined : lookup(schema, path);
  const value = issue.path.reduce<unknown>((at, name) => (at as Record<PropertyKey, unknown>)?.[name], raw);
  throw new UsageError(
    `Cannot set ${path} to ${JSON.stringify(value)}: ${
      node ? `expected ${allowed(node)}` : issue.message.replace(/^Invalid input: /, "")
    }`,
  );
}

function presetValues(experiment: Experiment, preset: string | undefined): Readonly<Record<string, Json>> {
  if (preset === undefined) return {};
  if (Object.hasOwn(experiment.presets, preset)) return experiment.presets[preset]!;
  const names = Object.keys(experiment.presets);
  throw new UsageError(
    `Cannot find preset "${preset}" of ${experiment.name}${suggestion(preset, names)}`,
  );
}

function parseSetting(schema: Schema, text: string): [string, Json] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`Cannot read --set "${text}": write it as path=value`);
  const path = text.slice(0, equals);
  const value = text.slice(equals + 1);
  const node = find(schema, path);
  const parsed = parseValue(node, value);
  if (parsed === undefined) {
    throw new UsageError(`Cannot set ${path} to ${JSON.stringify(value)}: expected ${allowed(node)}`);
  }
  return [path, parsed];
}

/** The text as a value of the node's type; undefined when it has no such form. Ranges are the schema's to check. */
function parseValue(node: Schema, text: string): Json | undefined {
  const choices = alternatives(node);
  for (const choice of choices) {
    const parsed = parseValue(choice, text);
    if (parsed !== undefined) return parsed;
  }
  if (choices.length > 0) return undefined;
  const listed = node.enum ?? (node.const === undefined ? undefined : [node.const]);
  if (listed) return listed.find((value) => String(value) === text) as Json | undefined;
  if (node.type === "string") return text;
  if (node.type === "number" || node.type === "integer") {
    const value = text.trim() === "" ? NaN : Number(text.replaceAll("_", ""));
    return Number.isFinite(value) ? value : undefined;
  }
  try {
    const value = JSON.parse(text);
    const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
    return node.type === undefined || node.type === type ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The nodes of a union; none for other nodes. */
function alternatives(node: Schema): Schema[] {
  if (node.anyOf) return node.anyOf as Schema[];
  return Array.isArray(node.type) ? node.type.map((type) => ({ ...node, type })) : [];
}

/** Words for what a node accepts. */
function allowed(node: Schema): string {
  const choices = alternatives(node);
  if (choices.length > 0) return choices.map(allowed).join(" or ");
  if (node.enum) return `one of ${node.enum.map((value) => JSON.stringify(value)).join(", ")}`;
  if (node.const !== undefined) return JSON.stringify(node.const);
  const bounds: string[] = [];
  if (node.minimum !== undefined && node.minimum > Number.MIN_SAFE_INTEGER) bounds.push(`>= ${node.minimum}`);
  if (node.exclusiveMinimum !== undefined) bounds.push(`> ${node.exclusiveMinimum}`);
  if (node.maximum !== undefined && node.maximum < Number.MAX_SAFE_INTEGER) bounds.push(`<= ${node.maximum}`);
  if (node.exclusiveMaximum !== undefined) bounds.push(`< ${node.exclusiveMaximum}`);
  const noun: Record<string, string> = {
    number: "a number",
    integer: "an integer",
    string: "a text",
    boolean: "true or false",
    array: "a JSON list",
    object: "a JSON object",
    null: "null",
  };
  return [noun[String(node.type)] ?? "a JSON value", bounds.join(" and ")].filter(Boolean).join(" ");
}

function lookup(schema: Schema, path: string): Schema | undefined {
  let node: Schema | undefined = schema;
  for (const name of path.split(".")) {
    const children: Record<string, unknown> = node?.properties ?? { [name]: node?.items };
    node = Object.hasOwn(children, name) ? children[name] as Schema | undefined : undefined;
  }
  return node;
}

function find(schema: Schema, path: string): Schema {
  const node = lookup(schema, path);
  const known = leaves(schema);
  if (node && known.includes(path)) return node;
  if (node?.properties) {
    const inside = known.filter((name) => name.startsWith(`${path}.`));
    throw new UsageError(`Cannot set ${path}: it is a group, name one of ${inside.join(", ")}`);
  }
  const groups = new Set(known.map((name) => name.replace(/\..*/, ".*")));
  throw new UsageError(
    `Cannot set ${path}: there is no such hyperparameter${suggestion(path, known, groups)}`,
  );
}

function parameters(schema: Schema, defaults: Json | undefined): Parameter[] {
  return leaves(schema).filter((path) => path !== "").map((path) => {
    const node = lookup(schema, path)!;
    const value = valueAt(defaults, path);
    const own = value === undefined ? {} : { default: value };
    return { path, allowed: allowed(node), description: node.description ?? "", ...own };
  });
}

/** The value at a dotted path of a document; undefined when there is none. */
export function valueAt(document: Json | undefined, path: string): Json | undefined {
  return path.split(".").reduce<Json | undefined>(
    (at, name) => at !== null && typeof at === "object" ? (at as Record<string, Json>)[name] : undefined,
    document,
  );
}

function leaves(node: Schema, path = ""): string[] {
  if (!node.properties) return [path];
  return Object.entries(node.properties)
    .flatMap(([name, child]) => leaves(child as Schema, path ? `${path}.${name}` : name));
}

/** Empty objects for the groups, so that the schema's own defaults fill them. */
function skeleton(node: Schema): Record<string, unknown> {
  const groups: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    if ((child as Schema).properties) groups[name] = skeleton(child as Schema);
  }
  return groups;
}

/** A nested document as paths and values; an unknown name stays one path, for `find` to name. */
function flatten(schema: Schema, value: Json, path: string): [string, Json][] {
  const node = path === "" ? schema : lookup(schema, path);
  if (path !== "" && !node?.properties) return [[path, value]];
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new UsageError(`Cannot read parameters${path && ` of ${path}`}: expected names and values`);
  }
  return Object.entries(value).flatMap(([name, child]) =>
    flatten(schema, child, path ? `${path}.${name}` : name)
  );
}

function assign(target: Record<string, unknown>, path: readonly string[], value: Json): void {
  const group = path.slice(0, -1).reduce((at, name) => at[name] as Record<string, unknown>, target);
  group[path.at(-1)!] = value;
}
