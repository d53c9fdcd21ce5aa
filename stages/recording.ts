/** What an episode keeps of its observations, and the way back from stored columns to an observation. */
import type { Episode } from "../data/episode.ts";
import type { InitialState, ObjectState, Observation, Task } from "../envs/environment.ts";
import { type NDArray, ndarray } from "../ndarray.ts";
import type { Subject } from "../policies/features.ts";

/** An episode to run: its task, initial state, the number of its noise stream, and numbers to remember with it. */
export interface Plan {
  /** The task to act in. */
  readonly task: Task;
  /** Where the episode starts. */
  readonly state: InitialState;
  /** Number of the noise stream. */
  readonly noise: number;
  /** Numbers to store with the episode, by name. */
  readonly tags?: Readonly<Record<string, number>>;
}

/** One row of an episode by column name. */
export type Row = Readonly<Record<string, ArrayLike<number>>>;

const OBJECT = "object/";

/**
 * The numeric columns of an observation: `proprioception` (8), `rotation` (9), `velocity` (6), `gripper` (1) and
 * `object/NAME` (13: position, quaternion, velocity) for every object; units as in `Observation`.
 */
export function observationRow(observation: Observation): Row {
  const row: Record<string, ArrayLike<number>> = {
    proprioception: observation.proprioception,
    rotation: observation.rotation,
    velocity: observation.velocity,
    gripper: [observation.gripper],
  };
  for (const [name, object] of Object.entries(observation.objects)) {
    row[OBJECT + name] = [...object.position, ...object.quaternion, ...object.velocity];
  }
  return row;
}

/**
 * The observation before control step `t` of a stored episode, as `observationRow` took it apart.
 *
 * @throws {RangeError} when the episode has no step `t`, or lacks a column
 */
export function observationAt(episode: Episode, t: number): Observation {
  const read = (name: string): Float64Array => {
    const column = episode.columns[name];
    if (!column) {
      throw new RangeError(`Cannot read "${name}": the episode of "${episode.task}" has no such column`);
    }
    if (t < 0 || t >= column.shape[0]!) {
      throw new RangeError(
        `Cannot read step ${t} of an episode of "${episode.task}": it has ${column.shape[0]} steps`,
      );
    }
    const width = column.shape[1]!;
    return Float64Array.from(column.data.subarray(t * width, (t + 1) * width));
  };
  const objects: Record<string, ObjectState> = {};
  for (const name of Object.keys(episode.columns)) {
    if (!name.startsWith(OBJECT)) continue;
    const values = read(name);
    objects[name.slice(OBJECT.length)] = {
      position: values.slice(0, 3),
      quaternion: values.slice(3, 7),
      velocity: values.slice(7, 13),
    };
  }
  return {
    proprioception: read("proprioception"),
    rotation: read("rotation"),
    velocity: read("velocity"),
    gripper: read("gripper")[0]!,
    objects,
  };
}

/** What a stored episode is about, as features need it. */
export function subjectOf({ task, roles }: Episode): Subject {
  return { name: task, roles };
}

/** Gathers the rows of one running episode. */
export class Recording {
  /** The episode that is recorded. */
  readonly plan: Plan;
  readonly #columns = new Map<string, { readonly width: number; readonly values: number[] }>();
  #length = 0;

  /** Starts an empty record. */
  constructor(plan: Plan) {
    this.plan = plan;
  }

  /** Adds one control step; every row of an episode has the same columns. */
  add(row: Row): void {
    for (const [name, values] of Object.entries(row)) {
      let column = this.#columns.get(name);
      if (!column) this.#columns.set(name, column = { width: values.length, values: [] });
      for (let i = 0; i < values.length; i++) column.values.push(values[i]!);
    }
    this.#length++;
  }

  /** The finished episode. */
  finish(success: boolean): Episode {
    const columns: Record<string, NDArray> = {};
    for (const [name, { width, values }] of this.#columns) {
      columns[name] = ndarray([this.#length, width], Float32Array.from(values));
    }
    return {
      task: this.plan.task.name,
      roles: this.plan.task.roles,
      split: this.plan.state.split,
      index: this.plan.state.index,
      success,
      length: this.#length,
      columns,
      tags: { noise: this.plan.noise, ...this.plan.tags },
    };
  }
}
