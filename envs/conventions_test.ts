import assert from "node:assert/strict";
import golden from "../tests/fixtures/conventions.json" with { type: "json" };
import { mirrored } from "../policies/resize_with_pad.ts";
import { liberoState, turned, upsideDown, wFirst, wLast } from "./conventions.ts";
import { expMap, rotate } from "./rotation.ts";

const picture = { width: 3, height: 2, data: Uint8Array.from(golden.picture) };
const close = (actual: ArrayLike<number>, wanted: readonly number[], tolerance: number) =>
  wanted.forEach((x, i) =>
    assert.ok(Math.abs(actual[i]! - x) <= tolerance, `${Array.from(actual)}, ${wanted}`)
  );

for (const { xyzw, robosuite, lerobot } of golden.rotations) {
  Deno.test(`liberoState() of [${xyzw.map((x) => Number(x.toFixed(3)))}] is openpi's and LeRobot's`, () => {
    const state = liberoState({ position: [1, 2, 3], quaternion: xyzw, fingers: [0.04, -0.04] });
    assert.deepEqual([...state.subarray(0, 3), ...state.subarray(6)], [1, 2, 3, 0.04, -0.04]);
    close(state.subarray(3, 6), robosuite, 1e-12);
    // In float32 the arc cosine near w = +-1 keeps about three digits.
    close(state.subarray(3, 6), lerobot, 2e-3);
  });
}

Deno.test("antipodal quaternions are one rotation and two states", () => {
  const [first] = golden.rotations, antipode = golden.rotations[4]!;
  assert.deepEqual(antipode.xyzw, first!.xyzw.map((x) => -x));
  const axisAngle = (xyzw: number[]) =>
    liberoState({ position: [0, 0, 0], quaternion: xyzw, fingers: [0, 0] }).subarray(3, 6);
  const [a, b] = [axisAngle(first!.xyzw), axisAngle(antipode.xyzw)];
  assert.ok(Math.hypot(...a) < Math.PI && Math.hypot(...b) > Math.PI);
  close([Math.hypot(...a) + Math.hypot(...b)], [2 * Math.PI], 1e-12);
  const matrix = (v: Float64Array) => {
    const out = new Float64Array(9);
    expMap(v[0]!, v[1]!, v[2]!, out);
    return out;
  };
  close(matrix(a), [...matrix(b)], 1e-12);
});

Deno.test("wFirst() and wLast() are each other's inverse, and rotate() takes w first", () => {
  assert.deepEqual(wLast(wFirst([1, 2, 3, 4])), Float64Array.of(1, 2, 3, 4));
  const out = new Float64Array(3);
  rotate(wFirst([0, 0, Math.SQRT1_2, Math.SQRT1_2]), 0, Float64Array.of(1, 0, 0), 0, out);
  close(out, [0, 1, 0], 1e-15); // a quarter turn about z
});

Deno.test("pictures: rows reversed, turned and mirrored are three things, and NumPy's", () => {
  assert.deepEqual([...upsideDown(picture).data], golden.rows_reversed);
  assert.deepEqual([...turned(picture).data], golden.turned);
  assert.deepEqual([...mirrored(picture).data], golden.columns_reversed);
  // What openpi's client makes of LIBERO's upside-down picture is the upright one mirrored.
  assert.deepEqual(turned(upsideDown(picture)), mirrored(picture));
  assert.deepEqual(turned(turned(picture)), picture);
});
