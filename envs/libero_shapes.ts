/**
 * Shapes of LIBERO's objects, from the boxes they collide with: how high they are, whether they are hollow like a bowl,
 * where their rim is. What a grasp needs, read from the model, so that objects never seen here are grasped as well.
 */
import { rotate } from "./rotation.ts";

/** A box in its body's frame. */
export interface Box {
  /** Centre, [3], metres. */
  readonly center: Float64Array;
  /** Unit quaternion, [4], w first. */
  readonly quaternion: Float64Array;
  /** Half sizes, [3], metres. */
  readonly half: Float64Array;
}

/** Position [3] and unit quaternion [4] of a body. */
export interface Pose {
  readonly position: Float64Array;
  readonly quaternion: Float64Array;
}

/** A wall around an open top, in the body's frame. */
export interface Rim {
  /** Centre of the rim's circle, [3]. */
  readonly center: Float64Array;
  /** Metres from the centre to the middle of the wall. */
  readonly radius: number;
  /** The direction out of the opening, [3]. */
  readonly up: Float64Array;
  /** Metres from the rim down to the floor inside. */
  readonly depth: number;
}

/** The geoms of an MJCF model that collide, as boxes; rounder ones by the box around them, meshes not at all. */
export function readBoxes(mjcf: string): Box[] {
  const body = mjcf.replaceAll(/<!--.*?-->/gs, "");
  return [...body.matchAll(/<geom\s[^>]*>/g)].flatMap(([geom]) => {
    const text = (name: string) => new RegExp(`\\s${name}="([^"]*)"`).exec(geom)?.[1];
    const numbers = (name: string) => text(name)?.trim().split(/\s+/).map(Number);
    const size = numbers("size");
    if (!size || text("contype") === "0" || text("group") === "1") return [];
    const [a = 0, b = a, c = a] = size;
    const half = {
      box: [a, b, c],
      sphere: [a, a, a],
      ellipsoid: [a, b, c],
      cylinder: [a, a, b],
      capsule: [a, a, a + b],
    }[
      text("type") ?? "sphere"
    ];
    if (!half) return [];
    const quaternion = Float64Array.from(numbers("quat") ?? [1, 0, 0, 0]);
    const length = Math.hypot(...quaternion);
    return [{
      center: Float64Array.from(numbers("pos") ?? [0, 0, 0]),
      quaternion: quaternion.map((x) => x / length),
      half: Float64Array.from(half),
    }];
  });
}

/** The eight corners of every box, [8 * boxes][3], in the body's frame. */
export function corners(boxes: readonly Box[]): Float64Array[] {
  return boxes.flatMap(({ center, quaternion, half }) =>
    Array.from({ length: 8 }, (_, i) => {
      const corner = new Float64Array(3);
      const local = Float64Array.of(
        i & 1 ? half[0]! : -half[0]!,
        i & 2 ? half[1]! : -half[1]!,
        i & 4 ? half[2]! : -half[2]!,
      );
      rotate(quaternion, 0, local, 0, corner);
      return corner.map((x, j) => x + center[j]!);
    })
  );
}

/** A point of the body's frame in the world. */
export function inWorld({ position, quaternion }: Pose, point: Float64Array): Float64Array {
  const out = new Float64Array(3);
  rotate(quaternion, 0, point, 0, out);
  return out.map((x, i) => x + position[i]!);
}

/** A direction of the world in the body's frame. */
export function inBody({ quaternion: [w, x, y, z] }: Pose, direction: ArrayLike<number>): Float64Array {
  const out = new Float64Array(3);
  rotate(Float64Array.of(w!, -x!, -y!, -z!), 0, Float64Array.from(direction), 0, out);
  return out;
}

/** Distance from a point of the body's frame to a box (m); 0 inside. */
export function distanceTo({ center, quaternion, half }: Box, point: Float64Array): number {
  const local = inBody({ position: center, quaternion }, point.map((x, i) => x - center[i]!));
  return Math.hypot(...local.map((x, i) => Math.max(0, Math.abs(x) - half[i]!)));
}

/**
 * The rim of a body that stands as `pose` says, if it is hollow and open above: bowls, cups, plates, baskets. Looked for
 * along the axis of the body's frame that points up.
 */
export function rimOf(boxes: readonly Box[], pose: Pose): Rim | undefined {
  const vertical = inBody(pose, [0, 0, 1]);
  const axis = vertical.reduce((best, x, i) => Math.abs(x) > Math.abs(vertical[best]!) ? i : best, 0);
  const sign = Math.sign(vertical[axis]!);
  const up = new Float64Array(3).fill(0);
  up[axis] = sign;
  const [first, second] = [0, 1, 2].filter((i) => i !== axis) as [number, number];

  const points = corners(boxes);
  if (points.length === 0) return undefined;
  const height = (point: Float64Array) => sign * point[axis]!;
  const top = Math.max(...points.map(height)), bottom = Math.min(...points.map(height));
  // A box of the wall has two corners inside and two outside at its upper end; both are within its thickness of the top.
  const edge = points.filter((point) => height(point) > top - Math.min(0.01, (top - bottom) / 4));
  const middle = (i: number) =>
    (Math.max(...edge.map((p) => p[i]!)) + Math.min(...edge.map((p) => p[i]!))) / 2;
  const center = new Float64Array(3);
  center[axis] = sign * top;
  center[first] = middle(first);
  center[second] = middle(second);

  const around = edge.map((p) => [p[first]! - center[first]!, p[second]! - center[second]!] as const);
  const sectors = new Set(around.map(([x, y]) => Math.floor((Math.atan2(y, x) / Math.PI + 1) * 4) % 8));
  const radii = around.map(([x, y]) => Math.hypot(x, y));
  const radius = radii.reduce((sum, r) => sum + r, 0) / radii.length;
  if (sectors.size < 7 || Math.min(...radii) < radius / 2) return undefined;

  // Down the axis until a box is met: the floor inside.
  const point = center.slice();
  for (let depth = 0.002; depth < top - bottom; depth += 0.002) {
    point[axis] = sign * (top - depth);
    if (boxes.some((box) => distanceTo(box, point) < 0.001)) {
      return depth > 0.008 ? { center, radius, up, depth } : undefined;
    }
  }
  return { center, radius, up, depth: top - bottom };
}

/** Lowest and highest point of a body in the world, metres. */
export function extent(boxes: readonly Box[], pose: Pose): { readonly bottom: number; readonly top: number } {
  const heights = corners(boxes).map((corner) => inWorld(pose, corner)[2]!);
  if (heights.length === 0) return { bottom: pose.position[2]! - 0.02, top: pose.position[2]! + 0.02 };
  return { bottom: Math.min(...heights), top: Math.max(...heights) };
}
