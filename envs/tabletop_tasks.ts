/**
 * The ten tabletop tasks as data, in the spirit of LIBERO-Spatial (Liu et al. 2023): one black bowl, named by where
 * it stands, is to be placed on the plate. World frame: metres, table top at z = 0, the arm's base at (-0.56, 0),
 * x away from the arm, y to its left.
 */
import type { Task } from "./environment.ts";

/** Kinds of movable objects. A wide ramekin is one that a bowl can stand on. */
export type Kind = "bowl" | "plate" | "ramekin" | "wide_ramekin";

/** Bounds of a uniform draw. */
export type Range = readonly [low: number, high: number];

/** Where a movable object starts: uniform in a rectangle, with any yaw. */
export interface Placement {
  /** Its name in observations. */
  readonly object: string;
  /** Its shape. */
  readonly kind: Kind;
  /** Away from the arm. */
  readonly x: Range;
  /** To the arm's left. */
  readonly y: Range;
  /** Height of the surface it stands on. */
  readonly height?: number;
  /** An object placed before, whose position `x` and `y` are relative to. */
  readonly relativeTo?: string;
}

/** An immovable box. */
export interface Box {
  /** Middle of the box. */
  readonly center: readonly [number, number, number];
  /** Half extents along the world's axes. */
  readonly halfSize: readonly [number, number, number];
  /** What it looks like. */
  readonly color: "wood" | "card" | "steel";
}

/** A task with what stands on its table. */
export interface Scene {
  /** What is to be done. */
  readonly task: Task;
  /** The movable objects, in the order of the simulation's state. */
  readonly placements: readonly Placement[];
  /** The immovable ones. */
  readonly fixtures: readonly Box[];
}

function scene(
  name: string,
  landmark: string,
  maxSteps: number,
  placements: readonly Placement[],
  fixtures: readonly Box[] = [],
): Scene {
  const task = {
    suite: "tabletop",
    name,
    language: `pick up the black bowl ${landmark} and place it on the plate`,
    maxSteps,
    roles: { target: "bowl_1", goal: "plate" },
    objects: placements.map((p) => p.object),
  };
  return { task, placements, fixtures };
}

function around(center: number, spread: number): Range {
  return [center - spread, center + spread];
}

const plate: Placement = { object: "plate", kind: "plate", x: around(0, 0.05), y: around(0.2, 0.05) };

const cookieBox: Box = { center: [0.02, -0.15, 0.02], halfSize: [0.06, 0.075, 0.02], color: "card" };
const stove: Box = { center: [-0.03, -0.18, 0.015], halfSize: [0.1, 0.1, 0.015], color: "steel" };
const cabinet: Box = { center: [0.02, -0.3, 0.08], halfSize: [0.11, 0.12, 0.08], color: "wood" };

const drawerFloor = 0.075, drawerWall = 0.03;
/** A cabinet at the table's right edge; its top drawer is pulled out towards +y. */
const openDrawer: readonly Box[] = [
  { center: [0, -0.41, 0.08], halfSize: [0.11, 0.1, 0.08], color: "wood" },
  { center: [0, -0.17, drawerFloor - 0.005], halfSize: [0.11, 0.14, 0.005], color: "wood" },
  {
    center: [0, -0.034, drawerFloor + drawerWall / 2],
    halfSize: [0.11, 0.004, drawerWall / 2],
    color: "wood",
  },
  {
    center: [-0.106, -0.17, drawerFloor + drawerWall / 2],
    halfSize: [0.004, 0.14, drawerWall / 2],
    color: "wood",
  },
  {
    center: [0.106, -0.17, drawerFloor + drawerWall / 2],
    halfSize: [0.004, 0.14, drawerWall / 2],
    color: "wood",
  },
];

const ramekinHeight = 0.04;

/** All scenes; the order is that of LIBERO-Spatial. */
export const scenes: readonly Scene[] = [
  scene("between_plate_and_ramekin", "between the plate and the ramekin", 160, [
    { object: "bowl_1", kind: "bowl", x: around(0, 0.08), y: around(-0.1, 0.08) },
    plate,
    { object: "ramekin_1", kind: "ramekin", x: around(-0.18, 0), y: around(0.05, 0) },
  ]),
  scene("next_to_ramekin", "next to the ramekin", 160, [
    { object: "ramekin_1", kind: "ramekin", x: around(-0.08, 0.03), y: around(-0.18, 0.03) },
    { object: "bowl_1", kind: "bowl", x: around(0, 0.04), y: [0.1, 0.13], relativeTo: "ramekin_1" },
    { object: "bowl_2", kind: "bowl", x: around(0.12, 0.03), y: around(-0.2, 0.03) },
    plate,
  ]),
  scene("table_center", "from the table center", 160, [
    { object: "bowl_1", kind: "bowl", x: around(-0.02, 0.04), y: around(-0.02, 0.03) },
    { object: "bowl_2", kind: "bowl", x: around(-0.05, 0.04), y: around(-0.22, 0.03) },
    { ...plate, y: around(0.22, 0.03) },
  ]),
  scene("on_cookie_box", "on the cookie box", 180, [
    {
      object: "bowl_1",
      kind: "bowl",
      x: around(cookieBox.center[0], 0.015),
      y: around(cookieBox.center[1], 0.03),
      height: 2 * cookieBox.halfSize[2],
    },
    plate,
  ], [cookieBox]),
  scene("in_top_drawer", "in the top drawer of the wooden cabinet", 200, [
    { object: "bowl_1", kind: "bowl", x: around(0, 0.015), y: around(-0.18, 0.02), height: drawerFloor },
    plate,
  ], openDrawer),
  scene("on_ramekin", "on the ramekin", 180, [
    { object: "ramekin_1", kind: "wide_ramekin", x: around(-0.02, 0.05), y: around(-0.12, 0.05) },
    {
      object: "bowl_1",
      kind: "bowl",
      x: around(0, 0.004),
      y: around(0, 0.004),
      height: ramekinHeight,
      relativeTo: "ramekin_1",
    },
    plate,
  ]),
  scene("next_to_cookie_box", "next to the cookie box", 160, [
    { object: "bowl_1", kind: "bowl", x: around(-0.12, 0.015), y: around(-0.12, 0.06) },
    plate,
  ], [cookieBox]),
  scene("on_stove", "on the stove", 180, [
    {
      object: "bowl_1",
      kind: "bowl",
      x: around(stove.center[0], 0.04),
      y: around(stove.center[1], 0.04),
      height: 2 * stove.halfSize[2],
    },
    plate,
  ], [stove]),
  scene("next_to_plate", "next to the plate", 160, [
    { ...plate, y: around(0.15, 0.04) },
    { object: "bowl_1", kind: "bowl", x: around(0, 0.05), y: [-0.19, -0.165], relativeTo: "plate" },
    { object: "bowl_2", kind: "bowl", x: around(0, 0.06), y: around(-0.24, 0.03) },
  ]),
  scene("on_cabinet", "on the wooden cabinet", 200, [
    {
      object: "bowl_1",
      kind: "bowl",
      x: around(cabinet.center[0], 0.03),
      y: around(-0.27, 0.03),
      height: 2 * cabinet.halfSize[2],
    },
    plate,
  ], [cabinet]),
];
