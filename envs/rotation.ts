/**
 * Rotations as the controller and the observations need them. Matrices are row-major [9], quaternions [4] with w
 * first, axis-angle vectors [3] in radians. Every function writes to `out` and allocates nothing.
 */

/** The rotation matrix of an axis-angle vector (Rodrigues). */
export function expMap(x: number, y: number, z: number, out: Float64Array): void {
  const angle = Math.sqrt(x * x + y * y + z * z);
  // sin(a)/a and (1 - cos(a))/a^2, by their series where the quotients lose digits
  const s = angle < 1e-6 ? 1 - angle * angle / 6 : Math.sin(angle) / angle;
  const c = angle < 1e-6 ? 0.5 - angle * angle / 24 : (1 - Math.cos(angle)) / (angle * angle);
  out[0] = 1 - c * (y * y + z * z);
  out[1] = c * x * y - s * z;
  out[2] = c * x * z + s * y;
  out[3] = c * x * y + s * z;
  out[4] = 1 - c * (x * x + z * z);
  out[5] = c * y * z - s * x;
  out[6] = c * x * z - s * y;
  out[7] = c * y * z + s * x;
  out[8] = 1 - c * (x * x + y * y);
}

/** out = a b; `out` must be another array than `a` and `b`; `b` is read from `offset`. */
export function multiply(a: Float64Array, b: Float64Array, offset: number, out: Float64Array): void {
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      out[3 * i + j] = a[3 * i]! * b[offset + j]! + a[3 * i + 1]! * b[offset + 3 + j]! +
        a[3 * i + 2]! * b[offset + 6 + j]!;
    }
  }
}

/** The unit quaternion with w >= 0 of a rotation matrix that is read from `offset`. */
export function matrixToQuaternion(m: Float64Array, offset: number, out: Float64Array): void {
  const xx = m[offset]!, yy = m[offset + 4]!, zz = m[offset + 8]!;
  const yz = m[offset + 7]! - m[offset + 5]!, zx = m[offset + 2]! - m[offset + 6]!;
  const xy = m[offset + 3]! - m[offset + 1]!;
  // The largest component first: the others are then quotients by something >= 1/2.
  if (xx + yy + zz > 0) {
    out[0] = Math.sqrt(1 + xx + yy + zz) / 2;
    out[1] = yz / (4 * out[0]);
    out[2] = zx / (4 * out[0]);
    out[3] = xy / (4 * out[0]);
    return;
  }
  const sum01 = m[offset + 1]! + m[offset + 3]!, sum02 = m[offset + 2]! + m[offset + 6]!;
  const sum12 = m[offset + 5]! + m[offset + 7]!;
  if (xx >= yy && xx >= zz) {
    out[1] = Math.sqrt(1 + xx - yy - zz) / 2;
    out[0] = yz / (4 * out[1]);
    out[2] = sum01 / (4 * out[1]);
    out[3] = sum02 / (4 * out[1]);
  } else if (yy >= zz) {
    out[2] = Math.sqrt(1 - xx + yy - zz) / 2;
    out[0] = zx / (4 * out[2]);
    out[1] = sum01 / (4 * out[2]);
    out[3] = sum12 / (4 * out[2]);
  } else {
    out[3] = Math.sqrt(1 - xx - yy + zz) / 2;
    out[0] = xy / (4 * out[3]);
    out[1] = sum02 / (4 * out[3]);
    out[2] = sum12 / (4 * out[3]);
  }
  if (out[0] < 0) { for (let i = 0; i < 4; i++) out[i] = -out[i]!; }
}

/**
 * The axis-angle vector of a unit quaternion, as robosuite's `quat2axisangle`: q and -q differ (angles above pi are
 * kept), and w = +-1 gives zero.
 */
export function quaternionToAxisAngle(quaternion: Float64Array, out: Float64Array): void {
  const w = Math.min(1, Math.max(-1, quaternion[0]!));
  const sine = Math.sqrt(1 - w * w);
  const factor = sine < 1e-9 ? 0 : 2 * Math.acos(w) / sine;
  for (let i = 0; i < 3; i++) out[i] = factor * quaternion[i + 1]!;
}

/**
 * robosuite's `orientation_error`: half the sum of the cross products of the current and the wanted columns, that is
 * sin(angle) times the axis (world) of the rotation from `current` (read from `offset`) to `wanted`.
 */
export function orientationError(
  wanted: Float64Array,
  current: Float64Array,
  offset: number,
  out: Float64Array,
): void {
  let x = 0, y = 0, z = 0;
  for (let j = 0; j < 3; j++) {
    const cx = current[offset + j]!, cy = current[offset + 3 + j]!, cz = current[offset + 6 + j]!;
    const wx = wanted[j]!, wy = wanted[3 + j]!, wz = wanted[6 + j]!;
    x += cy * wz - cz * wy;
    y += cz * wx - cx * wz;
    z += cx * wy - cy * wx;
  }
  out[0] = x / 2;
  out[1] = y / 2;
  out[2] = z / 2;
}

/** Rotates a vector [3] by a unit quaternion, both read from their offsets. */
export function rotate(
  q: Float64Array,
  qOffset: number,
  v: Float64Array,
  vOffset: number,
  out: Float64Array,
): void {
  const w = q[qOffset]!, x = q[qOffset + 1]!, y = q[qOffset + 2]!, z = q[qOffset + 3]!;
  const a = v[vOffset]!, b = v[vOffset + 1]!, c = v[vOffset + 2]!;
  const tx = 2 * (y * c - z * b), ty = 2 * (z * a - x * c), tz = 2 * (x * b - y * a);
  out[0] = a + w * tx + y * tz - z * ty;
  out[1] = b + w * ty + z * tx - x * tz;
  out[2] = c + w * tz + x * ty - y * tx;
}
