/** The hand of LIBERO's robot: where its fingers point, and how it turns there. */

/**
 * The hand pointing down with the fingers along a line of the xy plane, row-major. The fingers open along the x axis of
 * robosuite's grip site, which is the world's y axis at home; the hand is turned from there by 90 degrees at most.
 */
export function straightDown([x, y]: readonly [number, number]): Float64Array {
  const sign = y < 0 ? -1 : 1;
  const cosine = sign * x, sine = sign * y;
  return Float64Array.of(cosine, sine, 0, sine, -cosine, 0, 0, 0, -1);
}

/** The rotation vector (rad, world) that takes `current` to `wanted`, both row-major matrices. */
export function rotationTo(wanted: Float64Array, current: Float64Array): number[] {
  // wanted * current^T
  const r = (i: number, j: number) =>
    wanted[3 * i]! * current[3 * j]! + wanted[3 * i + 1]! * current[3 * j + 1]! +
    wanted[3 * i + 2]! * current[3 * j + 2]!;
  const axis = [r(2, 1) - r(1, 2), r(0, 2) - r(2, 0), r(1, 0) - r(0, 1)];
  const sine = Math.hypot(...axis) / 2, cosine = (r(0, 0) + r(1, 1) + r(2, 2) - 1) / 2;
  const factor = sine < 1e-9 ? 0 : Math.atan2(sine, cosine) / (2 * sine);
  return axis.map((x) => x * factor);
}
