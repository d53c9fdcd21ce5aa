/** Where an object is to be let go: above a plate, in a basket, over a region. */
import type { Observation } from "./environment.ts";
import { type Goal, ownerOf, type Scene } from "./libero_scene.ts";
import { extent, inWorld, rimOf } from "./libero_shapes.ts";

/** A place in the world. */
export interface Place {
  /** Where the target's origin goes, [2], metres. */
  readonly at: readonly [number, number];
  /** Height at which its lowest point rests, metres. */
  readonly surface: number;
  /** The highest thing around that it must be carried over, metres. */
  readonly obstacle: number;
  /** Whether it is dropped from above the obstacle: there are walls that the hand does not fit between. */
  readonly drop: boolean;
}

/** The place that `goal` names, as it lies now. */
export function placeOf(goal: Goal, scene: Scene, { objects }: Observation): Place {
  const place = objects[goal.place]!;
  const at = [place.position[0]!, place.position[1]!] as const;
  const owner = ownerOf(goal.place, scene.shapes.keys());
  const boxes = owner ? scene.shapes.get(owner)! : [];
  const body = owner ? objects[owner] : undefined;
  if (!body || boxes.length === 0) {
    const surface = place.position[2]!;
    return { at, surface, obstacle: surface, drop: false };
  }
  const { top } = extent(boxes, body);
  if (owner !== goal.place) {
    // A region of an object: walls may stand around it.
    const deep = top - place.position[2]! > 0.04 && goal.predicate === "in";
    return { at, surface: place.position[2]!, obstacle: top, drop: deep };
  }
  const rim = rimOf(boxes, body);
  const surface = rim ? inWorld(body, rim.center)[2]! - rim.depth : top;
  return { at, surface, obstacle: top, drop: false };
}
