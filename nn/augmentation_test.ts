import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { concat, slice, type Tensor } from "@tensorflow/tfjs-core";
import { compile } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { stream } from "../random.ts";
import { eager, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import {
  colorJitter,
  cropNumbers,
  drawCrops,
  drawJitters,
  jitterNumbers,
  randomCrop,
} from "./augmentation.ts";
import { shapesOf } from "./weights.ts";

const fixture = readFixture("pixels")["augmentation"]!;
const { images, crops, jitters } = eager(fixture) as Record<string, Tensor>;

/** Fails where a level differs by more than 1, or more than one level in a hundred differs: floor() has jumps. */
function assertLevels(actual: ArrayLike<number>, wanted: ArrayLike<number>): void {
  assert.equal(actual.length, wanted.length);
  const off = Array.from(wanted, (x, i) => Math.abs(x - actual[i]!));
  assert.ok(Math.max(...off) <= 1, `a level is off by ${Math.max(...off)}`);
  assert.ok(off.filter((x) => x > 0).length <= off.length / 100, "many levels are off");
}

Deno.test("randomCrop() moves every picture as numpy's edge padding and slicing", () => {
  assert.deepEqual(numbers(randomCrop(images!, crops!)), [...fixture["cropped"]!.data]);
});

Deno.test("colorJitter() changes colors as colorsys' conversions, one change after the other", () => {
  assertLevels(numbers(colorJitter(images!, jitters!)), fixture["jittered"]!.data);
  // Every fifth picture is not jittered, and all others are.
  const moved = fixture["jittered"]!.data.map((x, i) => Number(x !== fixture["images"]!.data[i]));
  const size = moved.length / 10;
  for (let b = 0; b < 10; b++) {
    assert.equal(moved.subarray(b * size, (b + 1) * size).includes(1), b % 5 !== 4);
  }
});

Deno.test("cameras of one picture are jittered alike, each by its own mean colors", () => {
  const jittered = colorJitter(images!, jitters!);
  const both = colorJitter(concat([images!, images!], 3), jitters!);
  const second = slice(both, [0, 0, 0, 3], [-1, -1, -1, 3]);
  assert.deepEqual(numbers(second), numbers(jittered));
});

Deno.test("compiled augmentation gives whole levels, as the eager one", async () => {
  const float32 = (name: string) => ndarray(fixture[name]!.shape, Float32Array.from(fixture[name]!.data));
  const inputs: Tensors = {
    images: float32("images"),
    crops: float32("crops"),
    jitters: float32("jitters"),
  };
  const program = compile(({ images, crops, jitters }) => ({
    cropped: randomCrop(images!, crops!),
    jittered: colorJitter(images!, jitters!),
  }), shapesOf(inputs));
  await using session = await Session.create(program);
  const { cropped, jittered } = await session.run(inputs);
  assert.deepEqual([...cropped!.data], [...fixture["cropped"]!.data]);
  assertLevels(jittered!.data, fixture["jittered"]!.data);
  assert.ok(jittered!.data.every((x) => Number.isInteger(x) && x >= 0 && x <= 255));
});

Deno.test("draws lie in the public agent's ranges, and each jitter has its own order", () => {
  const crops = new Float32Array(2000 * cropNumbers), jitters = new Float32Array(2000 * jitterNumbers);
  drawCrops(stream(0, "crop"), crops);
  drawJitters(stream(0, "jitter"), jitters);
  assert.deepEqual([...new Set(crops)].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const column = (i: number) => jitters.filter((_, at) => at % jitterNumbers === i);
  const mean = (x: Float32Array) => x.reduce((a, b) => a + b, 0) / x.length;
  assert.ok(Math.abs(mean(column(0)) - 0.8) < 0.03);
  const bounds: [number, number][] = [[-0.2, 0.2], [0.9, 1.1], [0.9, 1.1], [-0.03, 0.03]];
  bounds.forEach(([low, high], i) => {
    const drawn = column(i + 1), width = high - low;
    assert.ok(drawn.every((x) => x >= Math.fround(low) && x <= Math.fround(high)));
    assert.ok(Math.max(...drawn) > high - 0.01 * width && Math.min(...drawn) < low + 0.01 * width);
  });
  const orders = new Set(
    Array.from({ length: 2000 }, (_, i) => String(jitters.slice(i * 9 + 5, i * 9 + 9))),
  );
  assert.equal(orders.size, 24);
});
