/** What is wrong with a child process that ended, in words, and the mend. */

/** How a process ended, as far as it is known. */
export interface End {
  /** Exit code; undefined while it runs. */
  readonly code?: number;
  /** The signal that ended it, where one did. */
  readonly signal?: string | null;
  /** The last lines it wrote to stderr. */
  readonly lines: readonly string[];
}

/** What is known of a program's failures. */
export interface Mends {
  /** What a line on stderr means, first match first. */
  readonly causes: readonly (readonly [RegExp, string | ((match: RegExpExecArray) => string)])[];
  /** What a kill by nobody known means: most often the system ran out of memory. */
  readonly killed: string;
}

/** "exit code 1: ModuleNotFoundError: No module named 'torch' (package torch is missing, run ...)". */
export function describeEnd(end: End, mends: Mends): string {
  const { code, signal, lines } = end;
  const last = lines.findLast((line) => line.trim() !== "")?.trim().replace(/\.$/, "");
  const how = signal ? `killed by ${signal}` : code === undefined ? "" : `exit code ${code}`;
  const said = [how, last].filter((part) => part).join(": ");
  const mend = mendOf(end, mends);
  return mend ? `${said} (${mend})` : said;
}

function mendOf({ signal, lines }: End, { causes, killed }: Mends): string | undefined {
  for (const line of lines.toReversed()) {
    for (const [pattern, mend] of causes) {
      const match = pattern.exec(line);
      if (match) return typeof mend === "string" ? mend : mend(match);
    }
  }
  return signal === "SIGKILL" ? killed : undefined;
}
