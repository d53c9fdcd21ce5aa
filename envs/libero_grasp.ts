/** How a parallel gripper that points straight down takes an object: by the wall of a hollow one, else across it. */
import { type Box, corners, inBody, inWorld, type Pose, rimOf } from "./libero_shapes.ts";

/** Where to grasp, in the body's frame, so that it moves with the object until the fingers close. */
export interface Grasp {
  /** Where the grip site goes, [3]. */
  readonly point: Float64Array;
  /** The line along which the fingers close, [3]. */
  readonly axis: Float64Array;
  /** Metres below `point` in the world. */
  readonly depth: number;
}

/** What an episode does in its own way. */
export interface GraspHabits {
  /** For hollow objects: the side seen from the centre, radians in the world; 0 is along x. */
  readonly side: number;
  /** Metres that the grasp is deeper than usual. */
  readonly deeper: number;
}

/** The panda's fingers open to 8 cm; a wider object is not grasped across. */
const widest = 0.075;
/** Below the rim of a hollow object the grip site stops here (m), where the floor inside leaves room. */
const rimDepth = 0.012;
/** Metres from the top of a solid object down to the grip site: the fingers below the palm are 4.5 cm long. */
const solidDepth = 0.035;
/** The fingers end so far below the grip site (m): it stays above the ground that much. */
const fingertip = 0.01;
/** Outer corners of a rim made of boxes lie further out than the wall below them. */
const wallInside = 0.95;

/**
 * Plans a grasp of an object that stands as `pose` says.
 *
 * @throws {Error} when the object is wider than the gripper opens
 */
export function planGrasp(name: string, boxes: readonly Box[], pose: Pose, habits: GraspHabits): Grasp {
  const rim = rimOf(boxes, pose);
  if (!rim || rim.radius < 0.03) return graspAcross(name, boxes, pose, habits);
  const direction = [Math.cos(habits.side), Math.sin(habits.side), 0];
  // The direction in the plane of the rim.
  const outward = inBody(pose, direction);
  const along = outward.reduce((sum, x, i) => sum + x * rim.up[i]!, 0);
  const flat = outward.map((x, i) => x - along * rim.up[i]!);
  const length = Math.hypot(...flat);
  const axis = flat.map((x) => x / length);
  return {
    point: rim.center.map((x, i) => x + wallInside * rim.radius * axis[i]!),
    axis,
    depth: Math.min(rimDepth, 0.6 * rim.depth) + habits.deeper,
  };
}

function graspAcross(name: string, boxes: readonly Box[], pose: Pose, { side, deeper }: GraspHabits): Grasp {
  const all = boxes.length > 0 ? boxes : [unknown];
  const solids = all.map((box) => corners([box]).map((corner) => inWorld(pose, corner)));
  const heights = solids.flat().map((point) => point[2]!);
  const top = Math.max(...heights), bottom = Math.min(...heights);
  const height = Math.max(bottom + fingertip, top - Math.min(solidDepth, 0.6 * (top - bottom)) - deeper);
  // Of what the fingers touch: boxes that reach their height.
  const touched = solids.filter((points) => {
    const z = points.map((point) => point[2]!);
    return Math.min(...z) < height + 0.008 && Math.max(...z) > height - 0.008;
  }).flat();
  let best: { cost: number; width: number; axis: [number, number]; point: [number, number] } | undefined;
  for (let degrees = 0; degrees < 180; degrees += 5) {
    const angle = degrees * Math.PI / 180, axis = [Math.cos(angle), Math.sin(angle)] as [number, number];
    const [low, high] = span(touched, axis), [left, right] = span(touched, [-axis[1], axis[0]]);
    const width = high - low;
    // Among equal widths the one that turns the hand least from the episode's habit; fingers close along y at rest.
    const cost = width + 0.006 * Math.abs(Math.sin(angle - Math.PI / 2 - Math.sin(side) / 4));
    if (best && best.cost <= cost) continue;
    const a = (low + high) / 2, b = (left + right) / 2;
    best = { cost, width, axis, point: [a * axis[0] - b * axis[1], a * axis[1] + b * axis[0]] };
  }
  if (!best || best.width > widest) {
    const width = ((best?.width ?? 0) * 100).toFixed(1);
    throw new Error(
      `Cannot grasp ${name}: it is ${width} cm wide, the scripted expert's gripper takes 7.5 cm`,
    );
  }
  const [x, y] = best.point;
  return {
    point: inBody(pose, [x - pose.position[0]!, y - pose.position[1]!, height - pose.position[2]!]),
    axis: inBody(pose, [...best.axis, 0]),
    depth: 0,
  };
}

/** An object of unknown shape is taken for a cube of 4 cm. */
const unknown: Box = {
  center: new Float64Array(3),
  quaternion: Float64Array.of(1, 0, 0, 0),
  half: Float64Array.of(0.02, 0.02, 0.02),
};

function span(points: readonly Float64Array[], [x, y]: readonly [number, number]): [number, number] {
  const along = points.map((point) => point[0]! * x + point[1]! * y);
  return [Math.min(...along), Math.max(...along)];
}
