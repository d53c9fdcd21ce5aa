/** Line differences of two texts in the unified form that `diff -u` and `git diff` print (Myers 1986). */

/** Lines around a change that are printed with it. */
const CONTEXT = 3;

/** A line of an edit script: kept, taken from the first text, or put in from the second. */
interface Edit {
  readonly sign: " " | "-" | "+";
  readonly line: string;
}

/** Hunks from `a` to `b`, each with its @@ line; "" where the texts have equal lines. */
export function unifiedDiff(a: string, b: string): string {
  const edits = script(lines(a), lines(b));
  const out: string[] = [];
  let [row, column, shown] = [0, 0, 0];
  const places = edits.map(({ sign }) => {
    const place = [row, column] as const;
    if (sign !== "+") row++;
    if (sign !== "-") column++;
    return place;
  });
  while (true) {
    const change = edits.findIndex(({ sign }, i) => i >= shown && sign !== " ");
    if (change < 0) break;
    const start = Math.max(shown, change - CONTEXT);
    let end = change;
    // Changes whose contexts touch are one hunk.
    for (let i = change; i < edits.length && i <= end + 2 * CONTEXT; i++) if (edits[i]!.sign !== " ") end = i;
    const hunk = edits.slice(start, Math.min(edits.length, end + 1 + CONTEXT));
    const [before, after] = places[start]!;
    const [removed, added] = ["+", "-"].map((sign) => hunk.filter((edit) => edit.sign !== sign).length);
    out.push(`@@ -${span(before, removed!)} +${span(after, added!)} @@`);
    for (const { sign, line } of hunk) out.push(sign + line);
    shown = start + hunk.length;
  }
  return out.join("\n");
}

/** "first,count" as `diff -u` counts: from 1, without a count of 1, and one line earlier for an empty side. */
const span = (from: number, count: number) =>
  count === 1 ? `${from + 1}` : `${count ? from + 1 : from},${count}`;

const lines = (text: string) => text === "" ? [] : text.replace(/\n$/, "").split("\n");

/** A shortest edit script; equal heads and tails are set aside first, since most changes are small. */
function script(a: readonly string[], b: readonly string[]): Edit[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const keep = (all: readonly string[]) => all.map((line): Edit => ({ sign: " ", line }));
  return [
    ...keep(a.slice(0, head)),
    ...shortest(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...keep(a.slice(a.length - tail)),
  ];
}

/** Myers' greedy algorithm: `reach` holds, for each diagonal, how far down `a` d edits lead. */
function shortest(a: readonly string[], b: readonly string[]): Edit[] {
  const [n, m] = [a.length, b.length];
  const trace: Map<number, number>[] = [];
  let reach = new Map<number, number>([[1, 0]]);
  for (let d = 0; d <= n + m; d++) {
    trace.push(new Map(reach));
    for (let k = -d; k <= d; k += 2) {
      let x = steps(reach, k, d) ? reach.get(k + 1)! : reach.get(k - 1)! + 1;
      while (x < n && x - k < m && a[x] === b[x - k]) x++;
      reach.set(k, x);
      if (x >= n && x - k >= m) return backtrack(trace, a, b);
    }
    reach = new Map(reach);
  }
  return [];
}

/** Whether diagonal k is reached from above (a line of `b` put in) rather than from the left (a line of `a` taken). */
function steps(reach: ReadonlyMap<number, number>, k: number, d: number): boolean {
  return k === -d || (k !== d && reach.get(k - 1)! < reach.get(k + 1)!);
}

function backtrack(
  trace: readonly Map<number, number>[],
  a: readonly string[],
  b: readonly string[],
): Edit[] {
  const edits: Edit[] = [];
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 1; d >= 0; d--) {
    const reach = trace[d]!;
    const k = x - y;
    const from = steps(reach, k, d) ? k + 1 : k - 1;
    const [left, top] = [reach.get(from)!, reach.get(from)! - from];
    while (x > left && y > top && x > 0 && y > 0) edits.push({ sign: " ", line: (y--, a[--x]!) });
    if (d === 0) break;
    edits.push(from > k ? { sign: "+", line: b[--y]! } : { sign: "-", line: a[--x]! });
  }
  return edits.reverse();
}
