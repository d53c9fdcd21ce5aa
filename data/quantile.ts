/**
 * The q-quantile of sorted numbers with linear interpolation between order statistics: NumPy's default, method 7 of
 * Hyndman and Fan 1996, in NumPy's order of operations so that results agree to the last bit.
 *
 * @param sorted ascending, at least one number
 * @param q 0 ... 1
 * @throws {RangeError} when there is no number or q is outside [0, 1]
 */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) throw new RangeError("Cannot take a quantile of no numbers: give at least one");
  if (!(q >= 0 && q <= 1)) throw new RangeError(`Cannot take quantile ${q}: it must be in [0, 1]`);
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const a = sorted[below]!;
  const b = sorted[Math.min(below + 1, sorted.length - 1)]!;
  const t = position - below;
  return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t); // numpy.lib._function_base_impl._lerp
}
