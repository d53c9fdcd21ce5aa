/** The tasks of a LIBERO suite, from the task descriptions in the data. No name stands in the code. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readTaskDescription } from "./bddl.ts";
import type { Task } from "./environment.ts";
import { type Protocol, stepBudget } from "./libero_protocols.ts";

/**
 * The tasks of a suite by name, in alphabetical order.
 *
 * @param root folder with `bddl_files/<suite>/*.bddl`
 * @throws {Error} when the data do not have the suite, or a description cannot be read
 */
export function liberoTasks(root: string, suite: string, protocol: Protocol): ReadonlyMap<string, Task> {
  const all = join(root, "bddl_files");
  const suites = readdirSync(all, { withFileTypes: true }).filter((item) => !item.isFile()).map(({ name }) =>
    name
  );
  if (!suites.includes(suite)) {
    throw new Error(
      `Cannot open LIBERO suite "${suite}": ${all} has ${suites.sort().join(", ") || "none"}; ` +
        "set LIBERO_ASSETS to data with it",
    );
  }
  const folder = join(all, suite);
  const files = readdirSync(folder).filter((name) => name.endsWith(".bddl")).sort();
  if (files.length === 0) {
    throw new Error(`Cannot open LIBERO suite "${suite}": ${folder} has no task descriptions`);
  }
  const maxSteps = stepBudget(protocol, suite);
  return new Map(files.map((file) => {
    const name = file.slice(0, -".bddl".length);
    const { movable, fixtures, regions, roles } = described(join(folder, file));
    const objects = [...movable, ...fixtures, ...regions];
    return [name, { suite, name, language: instruction(name), maxSteps, roles, objects }];
  }));
}

/**
 * The instruction that benchmarks hand to policies: the name of the task without its scene, by the rule of
 * `grab_language_from_filename` in hf-libero's benchmark. The description's own `:language` differs ("Pick the akita black
 * bowl ...") and was given to no published policy.
 */
export function instruction(name: string): string {
  const scene = /^[A-Z].*?SCENE(?:10|\d)_/.exec(name);
  return name.slice(scene?.[0].length ?? 0).replaceAll("_", " ");
}

function described(path: string): ReturnType<typeof readTaskDescription> {
  try {
    return readTaskDescription(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error} (${path})`, { cause: error });
  }
}
