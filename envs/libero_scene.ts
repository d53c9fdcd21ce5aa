/**
 * What a scripted expert needs to know of a LIBERO task beyond names: every predicate of its goal, which drawers stand
 * open, and the shapes of the objects. Read from the task's description and the models of the objects.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Task } from "./environment.ts";
import { type Box, readBoxes } from "./libero_shapes.ts";

/** One thing that is or is to be true: "in" and "on" of two names, "open", "close", "turnon" and "turnoff" of one. */
export interface Goal {
  readonly predicate: string;
  readonly target: string;
  /** Where the target is to be; the target itself for a predicate of one name. */
  readonly place: string;
}

/** A task as the expert sees it. */
export interface Scene {
  /** All of them must hold. */
  readonly goals: readonly Goal[];
  /** What holds at the start: an object in a drawer, a drawer that stands open. */
  readonly start: readonly Goal[];
  /** Boxes by object: empty where the model has none or is made of moving parts. */
  readonly shapes: ReadonlyMap<string, readonly Box[]>;
  /** Objects with doors or drawers. */
  readonly articulated: ReadonlySet<string>;
}

const predicate = /\(\s*(in|on|open|close|turnon|turnoff)\s+([^\s()]+)(?:\s+([^\s()]+))?\s*\)/g;

/**
 * Reads the scene of a task.
 *
 * @param root folder with `assets/` and `bddl_files/`
 * @throws {Error} when the task's description is not there
 */
export function readScene(root: string, { suite, name }: Pick<Task, "suite" | "name">): Scene {
  const path = join(root, "bddl_files", suite, `${name}.bddl`);
  if (!existsSync(path)) throw new Error(`Cannot read task "${name}" of ${suite}: there is no ${path}`);
  const text = readFileSync(path, "utf8").replaceAll(/;.*$/gm, "").toLowerCase();
  const section = (title: string) => new RegExp(`\\(:${title}\\b([^:]*)`).exec(text)?.[1] ?? "";
  const found = (part: string) =>
    [...part.matchAll(predicate)].map(([, what, target, place]) => ({
      predicate: what!,
      target: target!,
      place: place ?? target!,
    }));

  const models = modelsIn(join(root, "assets"));
  const shapes = new Map<string, readonly Box[]>(), articulated = new Set<string>();
  for (const [object, category] of declarations(`${section("objects")} ${section("fixtures")}`)) {
    const model = models.get(category);
    if (!model) continue;
    const mjcf = readFileSync(model, "utf8");
    // The boxes of moving parts are nested in bodies that are not followed here.
    const moving = /<joint\s[^>]*type="(hinge|slide)"/.test(mjcf) || model.includes("articulated_objects");
    if (moving) articulated.add(object);
    else shapes.set(object, readBoxes(mjcf));
  }
  return {
    goals: found(section("goal")),
    start: found(section("init")),
    shapes,
    articulated,
  };
}

/**
 * Checks that the expert knows how to do a task.
 *
 * @throws {Error} when the goal asks for more than picking and placing
 */
export function assertDemonstrable({ name }: Pick<Task, "name">, scene: Scene): void {
  const can = "the scripted expert picks and places only";
  for (const { predicate, target, place } of scene.goals) {
    if (predicate !== "on" && predicate !== "in") {
      throw new Error(`Cannot demonstrate "${name}": its goal is to ${predicate} ${target}, ${can}`);
    }
    const drawer = predicate === "in" && ownerOf(place, scene.articulated) !== undefined;
    const open = scene.start.some((fact) => fact.predicate === "open" && fact.target === place);
    if (drawer && !open) {
      throw new Error(`Cannot demonstrate "${name}": ${place} must be opened first, ${can}`);
    }
  }
  if (scene.goals.length === 0) {
    throw new Error(`Cannot demonstrate "${name}": its goal names nothing to move`);
  }
}

/** The object that a name is or is a part of: "basket_1" of "basket_1_contain_region". */
export function ownerOf(name: string, objects: Iterable<string>): string | undefined {
  return [...objects].filter((object) => name === object || name.startsWith(`${object}_`))
    .sort((a, b) => b.length - a.length)[0];
}

/** [name, category] of "a b - bowl c - plate". */
function declarations(text: string): [string, string][] {
  const pairs: [string, string][] = [];
  let names: string[] = [];
  const words = text.replaceAll(/[()]/g, " ").split(/\s+/).filter(Boolean);
  for (let i = 0; i < words.length; i++) {
    if (words[i] !== "-") names.push(words[i]!);
    else {
      for (const name of names) pairs.push([name, words[i + 1] ?? ""]);
      names = [];
      i++;
    }
  }
  return pairs;
}

/** Models by category: assets/<source>/<category>/<category>.xml, or without the folder. */
function modelsIn(assets: string): Map<string, string> {
  const models = new Map<string, string>();
  for (const source of readdirSync(assets).sort()) {
    const folder = join(assets, source);
    let entries: string[];
    try {
      entries = readdirSync(folder);
    } catch {
      continue; // a file
    }
    for (const entry of entries.sort()) {
      const category = entry.replace(/\.xml$/, "");
      const path = entry.endsWith(".xml") ? join(folder, entry) : join(folder, entry, `${entry}.xml`);
      if (!models.has(category) && existsSync(path)) models.set(category, path);
    }
  }
  return models;
}
