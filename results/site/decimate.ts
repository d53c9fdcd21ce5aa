/** Long series made short without loss of their spikes; equal series give equal points, whatever was drawn before. */

/**
 * Indices to keep of a series: the first and last, and in each of `buckets` equal stretches of x those of the least and
 * the greatest value. Gaps (values that are not finite) keep their first index, so that they stay gaps.
 *
 * @param x ascending
 * @param y as long as x
 * @param buckets 1 or more
 */
export function minMax(x: ArrayLike<number>, y: ArrayLike<number>, buckets: number): number[] {
  const n = x.length;
  if (n <= 2 * buckets) return Array.from({ length: n }, (_, i) => i);
  const kept = new Set([0, n - 1]);
  const width = (x[n - 1]! - x[0]!) / buckets || 1;
  for (let start = 0, end = 0; start < n; start = end) {
    const bucket = Math.min(buckets - 1, Math.floor((x[start]! - x[0]!) / width));
    let [low, high, gap] = [-1, -1, -1];
    while (end < n && Math.min(buckets - 1, Math.floor((x[end]! - x[0]!) / width)) === bucket) {
      if (!Number.isFinite(y[end])) {
        if (gap < 0) gap = end;
      } else {
        if (low < 0 || y[end]! < y[low]!) low = end;
        if (high < 0 || y[end]! > y[high]!) high = end;
      }
      end++;
    }
    for (const i of [low, high, gap]) if (i >= 0) kept.add(i);
  }
  return [...kept].sort((a, b) => a - b);
}
