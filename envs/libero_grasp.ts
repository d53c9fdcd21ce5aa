/** How a parallel gripper that points straight down takes an object: by the wall of a hollow one, else across it. */
import {
  type Box,
  corners,
  distanceTo,
  inBody,
  inWorld,
  type Pose,
  type Rim,
  rimOf,
} from "./libero_shapes.ts";

/** Where to grasp, in the body's frame, so that it moves with the object until the fingers close. */
export interface Grasp {
  /** Where the grip site goes, [3]. */
  readonly point: Float64Array;
  /** The line along which the fingers close, [3]. */
  readonly axis: Float64Array;
  /** Metres below `point` in the world. */
  readonly depth: number;
  /** The side it comes from, radians in the world. */
  readonly side: number;
}

/** What an episode does in its own way, and what it learnt. */
export interface GraspHabits {
  /** The side of a hollow object that is liked best, seen from its centre, radians in the world; 0 is along x. */
  readonly side: number;
  /** Metres that the grasp is deeper than usual. */
  readonly deeper: number;
  /** Sides that were tried in vain. */
  readonly tried: readonly number[];
}

/** An object as it lies. */
export interface Solid {
  readonly boxes: readonly Box[];
  readonly pose: Pose;
}

/** The side of a hollow object that the arm reaches best: towards the robot and to its left. */
export const usualSide = 3 * Math.PI / 4;
/** Below the rim of a hollow object the grip site stops here (m), where the floor inside leaves room. */
const rimDepth = 0.012;
/** Metres from the top of a solid object down to the grip site: the fingers below the palm are 4.5 cm long. */
const solidDepth = 0.035;
/** The fingers end so far below the grip site (m): it stays above the ground that much. */
const fingertip = 0.01;
/** Outer corners of a rim made of boxes lie further out than the wall below them. */
const wallInside = 0.95;

/** An open finger is so far from the grip site (m), and so thick with some room around it. */
const fingerReach = 0.045, fingerRoom = 0.022;

/**
 * Plans a grasp of an object among others.
 */
export function planGrasp(
  { boxes, pose }: Solid,
  others: readonly Solid[],
  habits: GraspHabits,
): Grasp {
  const rim = rimOf(boxes, pose);
  if (!rim || rim.radius < 0.03) return graspAcross(boxes, pose, habits);
  // Sides up to 90 degrees from the one liked best; beyond, the hand is far from the robot.
  const ranked = [0, 30, -30, 60, -60, 90, -90].map((degrees) => {
    const side = habits.side + degrees * Math.PI / 180;
    const grasp = graspRim(rim, pose, side, habits.deeper);
    const finger = inWorld(pose, grasp.point.map((x, i) => x + fingerReach * grasp.axis[i]!));
    finger[2]! -= grasp.depth + fingertip;
    const room = Math.min(fingerRoom, ...others.map((other) => clearance(other, finger)));
    const near = habits.tried.some((earlier) => Math.abs(Math.sin((side - earlier) / 2)) < 0.2);
    return { grasp, cost: Math.abs(degrees) / 90 + 4 * (1 - room / fingerRoom) + (near ? 2 : 0) };
  });
  return ranked.reduce((best, next) => next.cost < best.cost ? next : best).grasp;
}

/** Distance from a point in the world to an object (m). */
function clearance({ boxes, pose }: Solid, point: Float64Array): number {
  const local = inBody(pose, point.map((x, i) => x - pose.position[i]!));
  return boxes.reduce((least, box) => Math.min(least, distanceTo(box, local)), Infinity);
}

function graspRim(rim: Rim, pose: Pose, side: number, deeper: number): Grasp {
  // The direction in the plane of the rim.
  const outward = inBody(pose, [Math.cos(side), Math.sin(side), 0]);
  const along = outward.reduce((sum, x, i) => sum + x * rim.up[i]!, 0);
  const flat = outward.map((x, i) => x - along * rim.up[i]!);
  const length = Math.hypot(...flat);
  const axis = flat.map((x) => x / length);
  return {
    point: rim.center.map((x, i) => x + wallInside * rim.radius * axis[i]!),
    axis,
    depth: Math.min(rimDepth, 0.6 * rim.depth) + deeper,
    side,
  };
}

function graspAcross(boxes: readonly Box[], pose: Pose, { side, deeper }: GraspHabits): Grasp {
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
  // What is too wide for the hand (a bowl on its side) is tried all the same: an expert may fail.
  let best = { cost: Infinity, axis: [0, 1] as [number, number], point: [0, 0] as [number, number] };
  for (let degrees = 0; degrees < 180; degrees += 5) {
    const angle = degrees * Math.PI / 180, axis = [Math.cos(angle), Math.sin(angle)] as [number, number];
    const [low, high] = span(touched, axis), [left, right] = span(touched, [-axis[1], axis[0]]);
    const width = high - low;
    // Among equal widths the one that turns the hand least from the episode's habit; fingers close along y at rest.
    const cost = width + 0.006 * Math.abs(Math.sin(angle - Math.PI / 2 - Math.sin(side) / 4));
    if (best.cost <= cost) continue;
    const a = (low + high) / 2, b = (left + right) / 2;
    best = { cost, axis, point: [a * axis[0] - b * axis[1], a * axis[1] + b * axis[0]] };
  }
  const [x, y] = best.point;
  return {
    point: inBody(pose, [x - pose.position[0]!, y - pose.position[1]!, height - pose.position[2]!]),
    axis: inBody(pose, [...best.axis, 0]),
    depth: 0,
    side,
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

/**
 * The side (rad) on which the outer finger has room beside a bowl in a drawer: towards a corner, nearest to the usual
 * side. Drawers of LIBERO are 21 cm wide along the furniture's x axis, and 16 cm deep.
 */
export function cornerSide({ quaternion }: Pose): number {
  const yaw = 2 * Math.atan2(quaternion[3]!, quaternion[0]!), corner = 37 * Math.PI / 180;
  const away = (side: number) => 1 - Math.cos(side - usualSide);
  return [corner, -corner, Math.PI + corner, Math.PI - corner].map((turn) => yaw + turn)
    .reduce((best, side) => away(side) < away(best) ? side : best);
}
