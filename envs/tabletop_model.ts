/**
 * The tabletop's MJCF, built from primitives: a 7-joint arm with Panda-like geometry and a parallel gripper, bowls of
 * twelve boxes and five spherical feet, plates, ramekins, boxes. Contact and solver settings are those that hold a
 * thin-walled bowl at 5 ms steps; the arm's links collide with nothing. Objects at rest sleep until they are touched,
 * which saves a third of the time.
 */
import type { Box, Kind, Scene } from "./tabletop_tasks.ts";

/** Time steps of 5 ms in a control step of 20 Hz. */
export const substeps = 10;

/** Home posture (rad): the hand points straight down at (-0.097, 0, 0.266). */
export const home = [0, -0.161, 0, -2.4446, 0, 2.2836, 0] as const;

/** Torque limits of the joints (N m). */
export const torqueLimits = [87, 87, 87, 87, 12, 12, 12] as const;

/** Finger openings (m): the closed target lies behind the joint's stop, so that a thin wall feels about 18 N. */
export const openFinger = 0.04, closedFinger: number = -0.012;

/** Height of an object's origin above what it stands on (m). The bowl's origin is the middle of its foot. */
export const restingHeight: Readonly<Record<Kind, number>> = {
  bowl: 0,
  plate: 0.006,
  ramekin: 0.02,
  wide_ramekin: 0.02,
};

/** Bodies of the gripper: all that may touch an object. */
export const handBodies = ["hand", "left_finger", "right_finger"] as const;

const colors: Readonly<Record<Kind | Box["color"] | "arm" | "table", string>> = {
  bowl: ".08 .08 .09 1",
  plate: ".93 .91 .86 1",
  ramekin: ".85 .6 .45 1",
  wide_ramekin: ".85 .6 .45 1",
  wood: ".55 .38 .22 1",
  card: ".75 .25 .2 1",
  steel: ".5 .52 .55 1",
  arm: ".9 .9 .92 1",
  table: ".72 .68 .62 1",
};

/**
 * The MJCF document of a scene. Movable objects follow the arm, in the order of the task's `objects`. For cameras the
 * arm is `drawn`: its links become visible, and still touch nothing, so that the physics are the same to the bit.
 */
export function mjcf(scene: Scene, { drawn = false }: { readonly drawn?: boolean } = {}): string {
  return `<mujoco model="${scene.task.name}">
<compiler angle="radian" autolimits="true"/>
<option timestep=".005" integrator="implicitfast" solver="Newton" cone="elliptic" impratio="10" iterations="20"
  ls_iterations="20"><flag autoreset="disable" midphase="disable" sleep="enable"/></option>
<size memory="1M"/>
<default>
  <geom solref=".01 1" solimp=".95 .99 .001" condim="3" contype="1" conaffinity="1"/>
  <joint damping=".5" armature=".1"/>
  <default class="object"><geom condim="4" friction="1 .005 .0001"/></default>
  <default class="static"><geom contype="1" conaffinity="3" friction="1 .005 .0001"/></default>
  <default class="hand"><geom contype="2" conaffinity="1" friction=".3 .005 .0001" rgba="${colors.arm}"/></default>
  <default class="pad"><geom contype="2" conaffinity="1" condim="4" friction="1.5 .05 .0001"/></default>
</default>
<worldbody>
<geom name="table" class="static" type="plane" size="1 1 .1" rgba="${colors.table}"/>
${scene.fixtures.map(fixture).join("\n")}
${arm(drawn)}
${scene.placements.map((p) => movable(p.object, p.kind)).join("\n")}
</worldbody>
<actuator>
${torqueLimits.map((limit, i) => `<motor joint="joint${i + 1}" ctrlrange="-${limit} ${limit}"/>`).join("\n")}
${
    ["left", "right"].map((side) =>
      `<position joint="${side}_finger" kp="1500" forcerange="-30 30" ctrlrange="-.02 .04"/>`
    ).join("\n")
  }
</actuator>
</mujoco>
`;
}

function fixture(box: Box): string {
  return `<geom class="static" type="box" pos="${vector(box.center)}" size="${vector(box.halfSize)}" rgba="${
    colors[box.color]
  }"/>`;
}

interface Link {
  readonly position: string;
  readonly axis: string;
  readonly range: string;
  readonly mass: number;
  /** Middle and half extents of the drawn link, which is also where its mass is. */
  readonly middle: string;
  readonly inertia: string;
}

/** The chain in world-aligned frames at zero angles, as in a Panda. */
const links: readonly Link[] = [
  {
    position: "0 0 .333",
    axis: "0 0 1",
    range: "-2.9 2.9",
    mass: 3.5,
    middle: "0 0 -.1",
    inertia: ".03 .03 .01",
  },
  {
    position: "0 0 0",
    axis: "0 1 0",
    range: "-1.76 1.76",
    mass: 3.5,
    middle: "0 0 .1",
    inertia: ".03 .03 .01",
  },
  {
    position: "0 0 .316",
    axis: "0 0 1",
    range: "-2.9 2.9",
    mass: 3,
    middle: ".03 0 -.06",
    inertia: ".02 .02 .01",
  },
  {
    position: ".0825 0 0",
    axis: "0 -1 0",
    range: "-3.07 -.07",
    mass: 3,
    middle: "-.03 0 .06",
    inertia: ".02 .02 .01",
  },
  {
    position: "-.0825 0 .384",
    axis: "0 0 1",
    range: "-2.9 2.9",
    mass: 3,
    middle: "0 0 -.1",
    inertia: ".02 .02 .01",
  },
  {
    position: "0 0 0",
    axis: "0 -1 0",
    range: "-.02 3.75",
    mass: 1.5,
    middle: ".04 0 0",
    inertia: ".003 .004 .004",
  },
  {
    position: ".088 0 0",
    axis: "0 0 -1",
    range: "-2.9 2.9",
    mass: 0.7,
    middle: "0 0 -.05",
    inertia: ".001 .001 .001",
  },
];

/** Where the hand hangs on the last link. */
const wrist = "0 0 -.1";

/** The line from a link's origin to the next one's, seen by cameras only. */
function bone(to: string, radius: number): string {
  if (to === "0 0 0") return "";
  return `<geom class="hand" type="capsule" fromto="0 0 0 ${to}" size="${radius}" contype="0" conaffinity="0" mass="0"/>`;
}

function arm(drawn: boolean): string {
  const open = links.map((link, i) =>
    `<body name="link${i + 1}" pos="${link.position}"><inertial pos="${link.middle}" mass="${link.mass}" ` +
    `diaginertia="${link.inertia}"/><joint name="joint${i + 1}" axis="${link.axis}" range="${link.range}"/>` +
    (drawn ? bone(links[i + 1]?.position ?? wrist, i < 3 ? 0.055 : 0.045) : "")
  );
  return `<body name="base" pos="-.56 0 0">${drawn ? bone(links[0]!.position, 0.07) : ""}
${open.join("\n")}
${hand()}
${"</body>".repeat(links.length)}</body>`;
}

/** The hand looks along its own +z; the site between the pads is the end effector. Fingers slide along its y. */
function hand(): string {
  return `<body name="hand" pos="${wrist}" quat="0 1 0 0">
<inertial pos="0 0 .04" mass=".7" diaginertia=".002 .001 .002"/>
<geom class="hand" type="box" pos="0 0 .04" size=".03 .09 .025"/>
<site name="end_effector" pos="0 0 .1034"/>
${finger("left", 1)}
${finger("right", -1)}
</body>`;
}

function finger(side: string, sign: 1 | -1): string {
  return `<body name="${side}_finger" pos="0 0 .1034">
<inertial pos="0 ${0.008 * sign} -.02" mass=".05" diaginertia="2e-5 2e-5 1e-5"/>
<joint name="${side}_finger" type="slide" axis="0 ${sign} 0" range="0 .04" damping="40" armature=".5"/>
<geom class="pad" type="box" pos="0 ${0.005 * sign} 0" size=".009 .005 .011" rgba=".2 .2 .2 1"/>
<geom class="hand" type="box" pos="0 ${0.008 * sign} -.025" size=".009 .008 .0135"/>
</body>`;
}

function movable(name: string, kind: Kind): string {
  return `<body name="${name}" childclass="object"><freejoint/>
${shape(kind)}
</body>`;
}

function shape(kind: Kind): string {
  switch (kind) {
    case "bowl":
      return bowl();
    case "plate":
      return cylinder(kind, 0.085, 0.006, 0.3);
    case "ramekin":
      return cylinder(kind, 0.03, 0.02, 0.1);
    case "wide_ramekin":
      return cylinder(kind, 0.05, 0.02, 0.2);
  }
}

function cylinder(kind: Kind, radius: number, halfHeight: number, mass: number): string {
  return `<geom type="cylinder" size="${radius} ${halfHeight}" mass="${mass}" rgba="${colors[kind]}"/>`;
}

const bowlWalls = 12,
  bowlFeet = 5,
  footRadius = 0.046,
  rimRadius = 0.056,
  wallHeight = 0.046,
  wallMiddle = 0.029;

/** A flaring ring of boxes on spherical feet: spheres meet planes, boxes and cylinders in closed form. */
function bowl(): string {
  const parts = [`<inertial pos="0 0 .025" mass=".12" diaginertia="1.6e-4 1.6e-4 2.4e-4"/>`];
  const tilt = Math.atan2(rimRadius - footRadius, wallHeight), radius = (footRadius + rimRadius) / 2;
  for (let i = 0; i < bowlWalls; i++) {
    const angle = 2 * Math.PI * i / bowlWalls;
    const center = [radius * Math.cos(angle), radius * Math.sin(angle), wallMiddle];
    // Turn about z by the angle, then lean outwards about the new y.
    const [c, s, ct, st] = [Math.cos(angle / 2), Math.sin(angle / 2), Math.cos(tilt / 2), Math.sin(tilt / 2)];
    parts.push(
      `<geom type="box" pos="${vector(center)}" quat="${vector([c * ct, -s * st, c * st, s * ct])}" ` +
        `size=".003 .0155 ${wallHeight / 2}" rgba="${colors.bowl}"/>`,
    );
  }
  for (let i = 0; i < bowlFeet; i++) {
    const angle = 2 * Math.PI * i / bowlFeet;
    const center = [0.034 * Math.cos(angle), 0.034 * Math.sin(angle), 0.005];
    parts.push(`<geom type="sphere" pos="${vector(center)}" size=".005" rgba="${colors.bowl}"/>`);
  }
  return parts.join("\n");
}

/** Nine digits: the same text on every machine, whatever the last bit of its sine. */
function vector(numbers: readonly number[]): string {
  return numbers.map((x) => Number(x.toFixed(9))).join(" ");
}
