import assert from "node:assert/strict";
import {
  expMap,
  matrixToQuaternion,
  multiply,
  orientationError,
  quaternionToAxisAngle,
  rotate,
} from "./rotation.ts";

// Values of robosuite 1.4.0 (utils/transform_utils.py, utils/control_utils.py), which computes in float32.
const matrixA = [
  [0.7263157963752747, -0.6105263829231262, -0.31578952074050903],
  [0.5263158679008484, 0.7894736528396606, -0.31578952074050903],
  [0.4421052932739258, 0.06315790116786957, 0.8947368264198303],
].flat();
const quaternionA = [0.9233805168766387, 0.10259783520851541, -0.20519567041703082, 0.3077935056255462];
const quaternionB = [0.83666, 0.47809142, 0.11952285, -0.2390457];

function assertClose(actual: ArrayLike<number>, wanted: readonly number[], tolerance: number): void {
  assert.equal(actual.length, wanted.length);
  wanted.forEach((x, i) =>
    assert.ok(Math.abs(actual[i]! - x) < tolerance, `[${Array.from(actual)}] is not [${wanted}]`)
  );
}

/** The matrix of a quaternion, column by column through rotate(). */
function matrix(quaternion: readonly number[]): Float64Array {
  const q = Float64Array.from(quaternion), out = new Float64Array(9), column = new Float64Array(3);
  for (let j = 0; j < 3; j++) {
    const unit = new Float64Array(3);
    unit[j] = 1;
    rotate(q, 0, unit, 0, column);
    for (let i = 0; i < 3; i++) out[3 * i + j] = column[i]!;
  }
  return out;
}

for (
  const [quaternion, axisAngle] of [
    [quaternionA, [0.21060240739016323, -0.42120481478032645, 0.6318072221704896]],
    [[-0.5, 0.5, 0.5, -0.5], [2.4183991523122907, 2.4183991523122907, -2.4183991523122907]],
    [
      [0.0030022375007177507, 0.999745087739011, 0.010007458335725836, 0.020014916671451673],
      [3.1348029973938756, 0.03137940938332208, 0.06275881876664416],
    ],
    [[1, 0, 0, 0], [0, 0, 0]],
  ] as const
) {
  Deno.test(`quaternionToAxisAngle() of [${quaternion}] is robosuite's`, () => {
    const out = new Float64Array(3);
    quaternionToAxisAngle(Float64Array.from(quaternion), out);
    assertClose(out, axisAngle, 1e-12);
  });
}

Deno.test("orientationError() is robosuite's", () => {
  const out = new Float64Array(3);
  orientationError(Float64Array.from(matrixA), matrix(quaternionB), 0, out);
  assertClose(out, [-0.5323308110237122, -0.6565414071083069, 0.5323308706283569], 1e-6);
});

Deno.test("expMap() is robosuite's matrix of an axis-angle vector", () => {
  const out = new Float64Array(9);
  expMap(0.3, -0.2, 0.5, out);
  const wanted = [
    [0.8595339059829712, -0.49799150228500366, -0.11491696536540985],
    [0.43986761569976807, 0.8353155851364136, -0.329794317483902],
    [0.2602267265319824, 0.23292115330696106, 0.9370324611663818],
  ].flat();
  assertClose(out, wanted, 1e-6);
});

Deno.test("expMap() of nothing is the identity, and of opposite vectors inverse", () => {
  const a = new Float64Array(9), b = new Float64Array(9), product = new Float64Array(9);
  const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  expMap(0, 0, 0, a);
  assertClose(a, identity, 0.1 ** 15);
  for (const scale of [1e-8, 1e-3, 1, 3]) {
    expMap(0.5 * scale, -0.1 * scale, 0.9 * scale, a);
    expMap(-0.5 * scale, 0.1 * scale, -0.9 * scale, b);
    multiply(a, b, 0, product);
    assertClose(product, identity, 1e-14);
  }
});

Deno.test("matrixToQuaternion() undoes rotate() in all four branches", () => {
  const out = new Float64Array(4);
  for (const q of [quaternionA, [0.1, 0.9, 0.3, -0.2], [0.1, 0.3, 0.9, -0.2], [0.1, -0.2, 0.3, 0.9]]) {
    const unit = q.map((x) => x / Math.hypot(...q));
    matrixToQuaternion(matrix(unit), 0, out);
    assertClose(out, unit, 1e-12);
  }
});
