/** Text tables for a terminal. */

/** Rows under their headings, columns two spaces apart; columns of numbers are set to the right. */
export function table(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [headings, ...rows].map((row) => row.map(String));
  const widths = headings.map((_, j) => Math.max(...cells.map((row) => row[j]!.length)));
  const right = headings.map((_, j) => rows.length > 0 && rows.every((row) => typeof row[j] === "number"));
  return cells.map((row) =>
    row.map((cell, j) => right[j] ? cell.padStart(widths[j]!) : cell.padEnd(widths[j]!)).join("  ").trimEnd()
  ).join("\n");
}

/** A byte count for people: "512 B", "3.4 MiB". */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (bytes >= 1024 && i < units.length - 1) [bytes, i] = [bytes / 1024, i + 1];
  return `${i === 0 ? bytes : bytes.toFixed(1)} ${units[i]}`;
}

/** The head of a hash or digest, long enough to be found by. */
export const short = (hash: string): string => hash.replace(/^sha256:/, "").slice(0, 12);
