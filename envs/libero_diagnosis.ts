/** What is wrong with a simulator process that ended, in words, and the mend. */
import { describeEnd as describe, type End, type Mends } from "../process/end.ts";

const killed =
  "probably out of memory: each process takes some 700 MB, use fewer lanes or stop other programs";

const causes: Mends["causes"] = [
  [
    /MemoryError|bad_alloc|Cannot allocate memory|Could not allocate memory/,
    `out of memory: ${killed.slice(killed.indexOf("each"))}`,
  ],
  [/No module named '?libero_worker/, "the folder python/ of this repository is not whole"],
  [/No module named '?([\w.]+)/, ([, name]) => `package ${name} is missing, run "deno task setup:libero"`],
  [
    /(lib[\w.+-]+\.so[\w.]*): cannot open shared object file/,
    ([, name]) => `the system lacks ${name}, install the packages that "deno task exp doctor libero" names`,
  ],
  [
    /(OSMesa|EGL|GLFW|libGL)/,
    () => 'rendering does not work here, "deno task exp doctor libero" says what is missing',
  ],
  [
    /(?:cannot import name|ImportError|undefined symbol|version)/,
    'run "deno task setup:libero" for the right versions',
  ],
];

/** "exit code 1: ModuleNotFoundError: No module named 'mujoco' (package mujoco is missing, run ...)". */
export function describeEnd(end: End): string {
  return describe(end, { causes, killed });
}
