/** Nearest names, for errors that help. */

/** Levenshtein distance: the least number of insertions, deletions and substitutions. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The candidate nearest to `name`, the first of equals; undefined when there is none. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of candidates) {
    const d = distance(name, candidate);
    if (d < least) [best, least] = [candidate, d];
  }
  return best;
}

/**
 * `, did you mean "learner.gamma"` where a candidate is close (at most two edits, or a third of the name's length),
 * else the names there are, as `; there are a, b`; nothing without candidates. `listed` are the names to list where
 * the candidates are too many.
 */
export function suggestion(
  name: string,
  candidates: Iterable<string>,
  listed: Iterable<string> = candidates,
): string {
  const all = [...candidates];
  const best = nearest(name, all);
  if (best === undefined) return "";
  if (distance(name, best) <= Math.max(2, name.length / 3)) return `, did you mean "${best}"`;
  const names = [...listed === candidates ? all : listed];
  return `; there ${names.length === 1 ? "is" : "are"} ${names.join(", ")}`;
}
