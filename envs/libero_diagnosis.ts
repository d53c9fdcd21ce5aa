/** What is wrong with a simulator process that ended, in words, and the mend. */

/** How a process ended, as far as it is known. */
export interface End {
  /** Exit code; undefined while it runs. */
  readonly code?: number;
  /** The signal that ended it, where one did. */
  readonly signal?: string | null;
  /** The last lines it wrote to stderr. */
  readonly lines: readonly string[];
}

const memory =
  "probably out of memory: each process takes some 700 MB, use fewer lanes or stop other programs";

/** What a line on stderr means, first match first. */
const causes: readonly (readonly [RegExp, string | ((match: RegExpExecArray) => string)])[] = [
  [
    /MemoryError|bad_alloc|Cannot allocate memory|Could not allocate memory/,
    `out of memory: ${memory.slice(memory.indexOf("each"))}`,
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
export function describeEnd({ code, signal, lines }: End): string {
  const last = lines.findLast((line) => line.trim() !== "")?.trim().replace(/\.$/, "");
  const how = signal ? `killed by ${signal}` : code === undefined ? "" : `exit code ${code}`;
  const said = [how, last].filter((part) => part).join(": ");
  const mend = mendOf({ signal: signal ?? null, lines });
  return mend ? `${said} (${mend})` : said;
}

function mendOf({ signal, lines }: End): string | undefined {
  for (const line of lines.toReversed()) {
    for (const [pattern, mend] of causes) {
      const match = pattern.exec(line);
      if (match) return typeof mend === "string" ? mend : mend(match);
    }
  }
  return signal === "SIGKILL" ? memory : undefined;
}
