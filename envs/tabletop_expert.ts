/**
 * A scripted expert that sees the objects: hover over the bowl's rim, descend, close, lift, carry, lower, open,
 * retreat. Its parameters differ from episode to episode and correlated noise disturbs it, so that demonstrations
 * vary. It makes data and never appears in an evaluation.
 */
import type { Stream } from "../random.ts";
import type { Observation, Task } from "./environment.ts";
import { positionScale, rotationScale } from "./operational_space.ts";
import { orientationError } from "./rotation.ts";

type Phase = "hover" | "descend" | "close" | "lift" | "carry" | "lower" | "open" | "retreat";

/** Phases in which a miss costs the bowl: half the noise. */
const precise: ReadonlySet<Phase> = new Set(["descend", "close", "lower", "open"]);

/** Where the wall is grasped: distance from the bowl's axis (m). */
const graspRadius = 0.053;
/** The bowl is let go this high above the goal's centre (m). */
const releaseHeight = 0.0145;
/** The hand's rotation at home, which the expert keeps. */
const straightDown = Float64Array.of(1, 0, 0, 0, -1, 0, 0, 0, -1);
/** Correlation of the noise between control steps. */
const noiseMemory = 0.7;

/** One episode's expert: open a new one after every reset. */
export class Expert {
  readonly #task: Task;
  readonly #random: Stream;
  readonly #parameters: Readonly<
    Record<"gain" | "speed" | "hover" | "grasp" | "lift" | "angle" | "noise", number>
  >;
  readonly #closeSteps: number;
  readonly #offset: readonly [number, number];
  readonly #disturbance = new Float64Array(6);
  readonly #error = new Float64Array(3);
  #phase: Phase = "hover";
  #phaseSteps = 0;
  /** Height of the target's origin before it was lifted (m). */
  #source: number | undefined;

  /** Draws the episode's parameters from `random`, and the noise of every step as well where `noise` is wanted. */
  constructor(task: Task, random: Stream, { noise }: { noise: boolean }) {
    this.#task = task;
    this.#random = random;
    this.#parameters = {
      gain: random.uniform(1.3, 2),
      speed: random.uniform(0.6, 1),
      hover: random.uniform(0.1, 0.145),
      grasp: random.uniform(0.038, 0.042),
      lift: random.uniform(0.12, 0.16),
      angle: Math.PI / 2 + random.uniform(-1, 1) * Math.PI / 9,
      noise: random.uniform(0.02, 0.12) * (noise ? 1 : 0),
    };
    this.#closeSteps = 8 + random.integer(4);
    this.#offset = [0.006 * random.normal(), 0.006 * random.normal()];
  }

  /** The action [7] for what is seen now. Call once a control step. */
  act(observation: Observation): Float64Array {
    const { gain, speed, hover, grasp, lift, angle } = this.#parameters;
    const { proprioception: hand, objects } = observation;
    const bowl = objects[this.#task.roles.target]!.position, goal = objects[this.#task.roles.goal]!.position;
    const source = this.#source ??= bowl[2]!;
    const rim = [bowl[0]! + graspRadius * Math.cos(angle), bowl[1]! + graspRadius * Math.sin(angle)] as const;
    const above = [
      hand[0]! + goal[0]! + this.#offset[0] - bowl[0]!,
      hand[1]! + goal[1]! + this.#offset[1] - bowl[1]!,
    ] as const;
    let target: readonly [number, number, number] = [hand[0]!, hand[1]!, hand[2]!];
    let limit = speed;
    let close = true;
    switch (this.#phase) {
      case "hover": {
        close = false;
        const height = source + hover;
        // Rise before crossing to a bowl that stands high.
        target = height - hand[2]! > 0.05 ? [hand[0]!, hand[1]!, height] : [rim[0], rim[1], height];
        if (distance(hand, [rim[0], rim[1], height]) < 0.008) this.#enter("descend");
        break;
      }
      case "descend":
        close = false;
        limit = 0.7 * speed;
        target = [rim[0], rim[1], source + grasp];
        if (Math.abs(hand[2]! - target[2]) < 0.004) this.#enter("close");
        break;
      case "close":
        if (this.#phaseSteps >= this.#closeSteps) this.#enter("lift");
        break;
      case "lift":
        target = [hand[0]!, hand[1]!, source + lift];
        if (hand[2]! > target[2] - 0.015) this.#enter("carry");
        break;
      case "carry":
        target = [above[0], above[1], lift];
        if (Math.hypot(above[0] - hand[0]!, above[1] - hand[1]!) < 0.01 && hand[2]! < lift + 0.02) {
          this.#enter("lower");
        }
        break;
      case "lower":
        limit = 0.45;
        target = [above[0], above[1], hand[2]! + goal[2]! - bowl[2]!];
        if (bowl[2]! - goal[2]! < releaseHeight) this.#enter("open");
        break;
      case "open":
        close = false;
        if (this.#phaseSteps >= 6) this.#enter("retreat");
        break;
      case "retreat":
        close = false;
        target = [hand[0]!, hand[1]!, goal[2]! + 0.2];
        break;
    }
    this.#phaseSteps++;
    return this.#action(observation, target, gain, limit, close);
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#phaseSteps = 0;
  }

  #action(
    seen: Observation,
    target: readonly number[],
    gain: number,
    limit: number,
    close: boolean,
  ): Float64Array {
    const action = new Float64Array(7);
    let largest = 0;
    for (let i = 0; i < 3; i++) {
      action[i] = gain * (target[i]! - seen.proprioception[i]!) / positionScale;
      largest = Math.max(largest, Math.abs(action[i]!));
    }
    if (largest > limit) { for (let i = 0; i < 3; i++) action[i]! *= limit / largest; }
    orientationError(straightDown, seen.rotation, 0, this.#error);
    for (let i = 0; i < 3; i++) action[3 + i] = 0.8 * this.#error[i]! / rotationScale;
    this.#disturb(action);
    action[6] = close ? 1 : -1;
    return action;
  }

  #disturb(action: Float64Array): void {
    const { noise } = this.#parameters;
    if (noise === 0) return;
    const scale = noise * (precise.has(this.#phase) ? 0.5 : 1), fresh = Math.sqrt(1 - noiseMemory ** 2);
    for (let i = 0; i < 6; i++) {
      this.#disturbance[i] = noiseMemory * this.#disturbance[i]! + fresh * this.#random.normal();
      action[i] = Math.min(1, Math.max(-1, action[i]! + scale * this.#disturbance[i]!));
    }
  }
}

function distance(a: ArrayLike<number>, b: readonly [number, number, number]): number {
  return Math.hypot(a[0]! - b[0], a[1]! - b[1], a[2]! - b[2]);
}
