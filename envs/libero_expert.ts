/**
 * A scripted expert for LIBERO's tasks of picking and placing. It sees the objects and their shapes: hover, descend,
 * close, lift, carry, lower, open, retreat, for every object that the goal names; a grasp that slips is tried again.
 * Its habits differ from episode to episode and correlated noise disturbs it, so that demonstrations vary. It makes data
 * and never appears in an evaluation.
 */
import type { Stream } from "../random.ts";
import type { Expert, ObjectState, Observation, Task } from "./environment.ts";
import { cornerSide, type Grasp, planGrasp, usualSide } from "./libero_grasp.ts";
import { rotationTo, straightDown } from "./libero_hand.ts";
import { placeOf } from "./libero_place.ts";
import { assertDemonstrable, type Goal, ownerOf, type Scene } from "./libero_scene.ts";
import { extent, inWorld } from "./libero_shapes.ts";

type Phase = "hover" | "descend" | "close" | "lift" | "carry" | "lower" | "open" | "retreat";

/** Phases in which a miss costs the object: half the noise. */
const precise: ReadonlySet<Phase> = new Set(["descend", "close", "lower", "open"]);

/** Metres and radians that an action of 1 asks for, as robosuite's OSC_POSE controller of LIBERO has it. */
const positionScale = 0.05, rotationScale = 0.5;
/** Seconds that the hand coasts on: it must not overshoot to where the arm is straight and hardly moves. */
const coasting = 0.05;
/** From so far in front of the hand's home (m), over the next few centimetres, objects are grasped from the robot's side. */
const farAway = 0.28, farther = 0.08;
/** Correlation of the noise between control steps. */
const noiseMemory = 0.7;
/** The object is let go when its lowest point is so far above its place (m). */
const releaseHeight = 0.012;
/** The object has slipped when it is so far from where the fingers took it (m). */
const slip = 0.05;
/** Control steps after which a way that leads nowhere is given up. */
const patience = 60;

/** One episode's expert: open a new one after every reset. */
export class LiberoExpert implements Expert {
  readonly #scene: Scene;
  readonly #goals: readonly Goal[];
  readonly #random: Stream;
  readonly #habits: Readonly<
    Record<"gain" | "speed" | "hover" | "deeper" | "lift" | "side" | "noise", number>
  >;
  readonly #closeSteps: number;
  readonly #offset: readonly [number, number];
  readonly #disturbance = new Float64Array(6);
  #goal = 0;
  /** Sides of the present target that were grasped in vain. */
  readonly #tried: number[] = [];
  #phase: Phase = "hover";
  #phaseSteps = 0;
  #grasp: Grasp | undefined;
  /** Where the target was when the grasp was planned. */
  #planned = new Float64Array(3);
  /** What the hand is doing, as its axis in the xy plane. */
  #fingers: readonly [number, number] = [0, 1];
  /** Height of the hand when the fingers closed, and the object's offset from it, [3]. */
  #taken: { readonly height: number; readonly offset: readonly number[] } | undefined;
  #lowest = Infinity;
  /** Where the hand was at first, along the way out of the robot (m): the robot's own place is not observed. */
  #home: number | undefined;
  /** Control steps of a descent without waiting. */
  #pressed = 0;

  /**
   * Draws the episode's habits from `random`, and the noise of every step as well where `noise` is wanted.
   *
   * @throws {Error} when the goal asks for more than picking and placing
   */
  constructor(task: Task, scene: Scene, random: Stream, { noise }: { noise: boolean }) {
    assertDemonstrable(task, scene);
    this.#scene = scene;
    this.#goals = scene.goals;
    this.#random = random;
    this.#habits = {
      gain: random.uniform(1.3, 1.8),
      speed: random.uniform(0.8, 1),
      hover: random.uniform(0.06, 0.085),
      deeper: random.uniform(-0.002, 0.003),
      lift: random.uniform(0.15, 0.18),
      side: usualSide + random.uniform(-0.2, 0.2),
      noise: random.uniform(0.02, 0.12) * (noise ? 1 : 0),
    };
    this.#closeSteps = 9 + random.integer(3);
    this.#offset = [0.004 * random.normal(), 0.004 * random.normal()];
  }

  /** The action [7] for what is seen now. Call once a control step. */
  act(observation: Observation): Float64Array {
    const goal = this.#goals[this.#goal]!;
    const hand = observation.proprioception, target = observation.objects[goal.target]!;
    this.#home ??= hand[0]!;
    const place = placeOf(goal, this.#scene, observation);
    const boxes = this.#scene.shapes.get(goal.target) ?? [];
    const { hover, lift, speed } = this.#habits;
    let wanted: number[] = [hand[0]!, hand[1]!, hand[2]!];
    let limit = speed, gain = this.#habits.gain, closed = true;
    switch (this.#phase) {
      case "hover": {
        closed = false;
        if (!this.#grasp || this.#moved(target)) this.#grasp = this.#plan(goal, observation);
        const at = this.#graspPoint(target);
        const high = at[2]! + hover, across = Math.hypot(at[0]! - hand[0]!, at[1]! - hand[1]!);
        // Rise before crossing to an object that stands high.
        wanted = high - hand[2]! > 0.05 && across > 0.03
          ? [hand[0]!, hand[1]!, high + 0.02]
          : [at[0]!, at[1]!, high];
        const slow = Math.hypot(observation.velocity[0]!, observation.velocity[1]!) < 0.1;
        if (slow && across < 0.01 && Math.abs(high - hand[2]!) < 0.03) this.#enter("descend");
        else if (this.#phaseSteps > patience) this.#again();
        break;
      }
      case "descend": {
        closed = false;
        const at = this.#graspPoint(target);
        // The arm drifts sideways while it sinks: wait for it above the object.
        const across = Math.hypot(at[0]! - hand[0]!, at[1]! - hand[1]!);
        gain *= 1.6;
        const waits = across > 0.01 && hand[2]! > at[2]! + 0.035 && this.#phaseSteps < patience;
        wanted = [at[0]!, at[1]!, waits ? at[2]! + 0.045 : at[2]!];
        const near = Math.hypot(at[0]! - hand[0]!, at[1]! - hand[1]!, at[2]! - hand[2]!);
        if (near < 0.006 || (!waits && ++this.#pressed > 20)) this.#enter("close");
        break;
      }
      case "close":
        if (this.#phaseSteps >= this.#closeSteps) {
          this.#taken = { height: hand[2]!, offset: difference(target.position, hand) };
          this.#enter("lift");
        }
        break;
      case "lift": {
        const high = Math.max(
          this.#taken!.height + (this.#drawerOf(goal) ? 0.12 : 0.05),
          place.obstacle + lift,
        );
        wanted = [hand[0]!, hand[1]!, high];
        if (hand[2]! < high - 0.02 && this.#phaseSteps < 25) break;
        if (this.#lost(target, hand)) this.#again();
        else this.#enter("carry");
        break;
      }
      case "carry": {
        const offset = difference(target.position, hand);
        const across = [
          place.at[0] + this.#offset[0] - offset[0]!,
          place.at[1] + this.#offset[1] - offset[1]!,
        ];
        const far = Math.hypot(across[0]! - hand[0]!, across[1]! - hand[1]!);
        const { bottom } = extent(boxes, target);
        const below = hand[2]! - bottom;
        const low = place.obstacle + below + 0.03;
        const high = Math.max(low, place.obstacle + lift);
        wanted = [across[0]!, across[1]!, far > 0.12 ? high : low];
        if (this.#lost(target, hand)) this.#again();
        else if (far < (this.#phaseSteps > patience ? 0.04 : 0.012) && hand[2]! < low + 0.03) {
          this.#enter("lower");
        }
        break;
      }
      case "lower": {
        limit = 0.5 * speed;
        const offset = difference(target.position, hand);
        const { bottom } = extent(boxes, target);
        const left = bottom - (place.drop ? place.obstacle : place.surface);
        wanted = [
          place.at[0] + this.#offset[0] - offset[0]!,
          place.at[1] + this.#offset[1] - offset[1]!,
          hand[2]! - left,
        ];
        const stalled = this.#phaseSteps > 6 && hand[2]! > this.#lowest - 0.001;
        this.#lowest = Math.min(this.#lowest, hand[2]!);
        if (left < releaseHeight || stalled || this.#phaseSteps > 40) this.#enter("open");
        break;
      }
      case "open":
        closed = false;
        if (this.#phaseSteps >= 8) this.#enter("retreat");
        break;
      case "retreat":
        closed = false;
        wanted = [hand[0]!, hand[1]!, place.obstacle + 0.2];
        if (hand[2]! > place.obstacle + 0.12 || this.#phaseSteps > 15) this.#next();
        break;
    }
    this.#phaseSteps++;
    return this.#action(observation, wanted, { gain, limit, closed });
  }

  #plan(goal: Goal, { objects }: Observation): Grasp {
    const drawer = this.#drawerOf(goal);
    const side = drawer && objects[drawer]
      ? cornerSide(objects[drawer]) + (this.#habits.side - usualSide) / 4
      : this.#habits.side + Math.PI / 4 * this.#farness(objects[goal.target]!);
    const solid = (name: string) => ({ boxes: this.#scene.shapes.get(name) ?? [], pose: objects[name]! });
    const others = [...this.#scene.shapes.keys()].filter((name) => name !== goal.target && objects[name]);
    const grasp = planGrasp(solid(goal.target), others.map(solid), {
      side,
      deeper: this.#habits.deeper + 0.003 * this.#tried.length,
      tried: this.#tried,
    });
    const target = objects[goal.target]!, tip = inWorld(target, grasp.axis);
    const x = tip[0]! - target.position[0]!, y = tip[1]! - target.position[1]!, length = Math.hypot(x, y);
    this.#fingers = [x / length, y / length];
    this.#planned = target.position.slice();
    return grasp;
  }

  /** 0 for what the arm reaches well, 1 for what it hardly reaches. */
  #farness({ position }: ObjectState): number {
    return Math.min(1, Math.max(0, (position[0]! - this.#home! - farAway) / farther));
  }

  /** Whether the target is no longer where the grasp was planned: it fell or was pushed. */
  #moved({ position }: ObjectState): boolean {
    return Math.hypot(...difference(position, this.#planned)) > 0.004;
  }

  #graspPoint(target: ObjectState): Float64Array {
    const at = inWorld(target, this.#grasp!.point);
    at[2]! -= this.#grasp!.depth;
    return at;
  }

  /** The piece of furniture that the goal's target lies in at the start. */
  #drawerOf({ target }: Goal): string | undefined {
    const place = this.#scene.start.find((fact) => fact.predicate === "in" && fact.target === target)?.place;
    return place && ownerOf(place, this.#scene.articulated);
  }

  #lost(target: ObjectState, hand: Float64Array): boolean {
    const now = difference(target.position, hand);
    return Math.hypot(...now.map((x, i) => x - this.#taken!.offset[i]!)) > slip;
  }

  #again(): void {
    if (this.#grasp) this.#tried.push(this.#grasp.side);
    this.#grasp = undefined;
    this.#enter("hover");
  }

  #next(): void {
    this.#goal = (this.#goal + 1) % this.#goals.length;
    this.#tried.length = 0;
    this.#grasp = undefined;
    this.#enter("hover");
  }

  /** What it is about to do, for those who look on. */
  get phase(): string {
    return this.#phase;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#phaseSteps = 0;
    this.#lowest = Infinity;
    this.#pressed = 0;
  }

  #action(
    seen: Observation,
    wanted: readonly number[],
    { gain, limit, closed }: { gain: number; limit: number; closed: boolean },
  ): Float64Array {
    const action = new Float64Array(7);
    let largest = 0;
    for (let i = 0; i < 3; i++) {
      const ahead = seen.proprioception[i]! + coasting * seen.velocity[i]!;
      action[i] = gain * (wanted[i]! - ahead) / positionScale;
      largest = Math.max(largest, Math.abs(action[i]!));
    }
    if (largest > limit) { for (let i = 0; i < 3; i++) action[i]! *= limit / largest; }
    const turn = rotationTo(straightDown(this.#fingers), seen.rotation);
    const angle = Math.max(...turn.map(Math.abs)) / rotationScale;
    for (let i = 0; i < 3; i++) action[3 + i] = turn[i]! / rotationScale / Math.max(1, angle);
    this.#disturb(action);
    action[6] = closed ? 1 : -1;
    return action;
  }

  #disturb(action: Float64Array): void {
    const { noise } = this.#habits;
    if (noise === 0) return;
    const scale = noise * (precise.has(this.#phase) ? 0.5 : 1), fresh = Math.sqrt(1 - noiseMemory ** 2);
    for (let i = 0; i < 6; i++) {
      this.#disturbance[i] = noiseMemory * this.#disturbance[i]! + fresh * this.#random.normal();
      action[i] = Math.min(1, Math.max(-1, action[i]! + scale * this.#disturbance[i]!));
    }
  }
}

const difference = (a: Float64Array, b: Float64Array): number[] => [0, 1, 2].map((i) => a[i]! - b[i]!);
