/** From episodes to what critics on chunks are fed: normalised states, executed chunks, rewards and next states. */
import type { ChunkForm } from "../data/chunk_transitions.ts";
import { chunkTransitions } from "../data/chunk_transitions.ts";
import type { Episode } from "../data/episode.ts";
import { decodeNormalizations, fit, type Normalization, normalize } from "../data/normalization.ts";
import type { Artifact } from "../lab/stage.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { residualState, type Subject } from "../policies/features.ts";
import type { Stream } from "../random.ts";
import { observationAt, subjectOf } from "./recording.ts";
import type { Lane } from "./rollout.ts";
import { gather } from "./update_loop.ts";

/** What a critic on chunks sees of an episode, unnormalised, [T, S]: the state of residual learners at a chunk's start. */
function rawStates(episode: Episode, tasks: readonly string[]): NDArray {
  const rows = Array.from(
    { length: episode.length },
    (_, t) => residualState(observationAt(episode, t), subjectOf(episode), 0, tasks),
  );
  const states = ndarray([episode.length, rows[0]!.length]);
  rows.forEach((row, t) => states.data.set(row, t * row.length));
  return states;
}

/** The same in a lane, normalised, [S]. */
export function chunkState(
  lane: Pick<Lane, "observation"> & { readonly plan: { readonly task: Subject } },
  tasks: readonly string[],
  scale: Normalization,
): Float32Array {
  const raw = residualState(lane.observation, lane.plan.task, 0, tasks);
  return normalize(scale, ndarray([raw.length], raw)).data;
}

/**
 * The z-score under which critics see states, fitted on all episodes; floor and bound as for residual learners.
 *
 * @throws {Error} when there is no episode
 */
export function chunkScale(episodes: readonly Episode[], tasks: readonly string[]): Normalization {
  if (episodes.length === 0) throw new Error("Cannot learn a critic from no episodes: give at least one");
  return fit(joined(episodes.map((episode) => rawStates(episode, tasks))), {
    kind: "z-score",
    floor: 1e-2,
    clip: 8,
  });
}

/** Chunk transitions of a set of episodes, one row for each control step. */
export interface ChunkData {
  /** s, normalised, [N, S]. */
  readonly states: NDArray;
  /** a, [N, h, A]. */
  readonly chunks: NDArray;
  /** R, [N]. */
  readonly reward: NDArray;
  /** m, [N]. */
  readonly mask: NDArray;
  /** Row of s′, [N]. */
  readonly next: Int32Array;
  /** Numbers of the rows that are valid transitions, ascending. */
  readonly valid: Int32Array;
}

/**
 * The scale that critics were trained under.
 *
 * @throws {Error} when the file names no "state"
 */
export async function readScale({ path, digest }: Artifact): Promise<Normalization> {
  const { state } = decodeNormalizations(await Deno.readFile(path));
  if (!state) throw new Error(`Cannot read scale ${digest}: its normalization must name "state"`);
  return state;
}

/** What critics see, [N, S], normalised, in the order of episodes and steps. */
export function chunkStates(
  episodes: readonly Episode[],
  tasks: readonly string[],
  scale: Normalization,
): NDArray {
  return normalize(scale, joined(episodes.map((episode) => rawStates(episode, tasks))));
}

/** Cuts episodes into chunk transitions between `states`, a row for each control step in their order. */
export function chunkData(
  episodes: readonly Episode[],
  { states, form }: { readonly states: NDArray; readonly form: ChunkForm },
): ChunkData {
  const cuts = episodes.map((episode) => chunkTransitions(episode, form));
  const count = episodes.reduce((sum, { length }) => sum + length, 0);
  const numbers = (of: (cut: typeof cuts[number]) => Float32Array) =>
    joined(cuts.map((cut) => ({ shape: [of(cut).length], data: of(cut) })));
  const next = new Int32Array(count), valid: number[] = [];
  let row = 0;
  for (const cut of cuts) {
    cut.next.forEach((t, i) => next[row + i] = row + t);
    cut.valid.forEach((yes, i) => yes && valid.push(row + i));
    row += cut.next.length;
  }
  return {
    states,
    chunks: joined(cuts.map(({ chunks }) => chunks)),
    reward: numbers(({ reward }) => reward),
    mask: numbers(({ mask }) => mask),
    next,
    valid: Int32Array.from(valid),
  };
}

/** Arrays one after the other along their first axis. */
function joined(parts: readonly NDArray[]): NDArray {
  const out = ndarray([parts.reduce((n, { shape }) => n + shape[0]!, 0), ...parts[0]!.shape.slice(1)]);
  let at = 0;
  for (const { data } of parts) {
    out.data.set(data, at);
    at += data.length;
  }
  return out;
}

/** Rows to draw from, split in two: the first `count` episodes' rows are rollouts, those after are demonstrations. */
export interface Mixture {
  /** Rows of rollouts. */
  readonly rollouts: Int32Array;
  /** Rows of demonstrations. */
  readonly demonstrations: Int32Array;
  /** Share of each minibatch from demonstrations; the rest are rollouts. */
  readonly share: number;
}

/**
 * The rows of a data set whose first `boundary` rows are rollouts.
 *
 * @throws {Error} when a part that minibatches are drawn from is empty
 */
export function mixture(rows: Int32Array, boundary: number, share: number): Mixture {
  const rollouts = rows.filter((row) => row < boundary);
  const demonstrations = rows.filter((row) => row >= boundary);
  if (share < 1 && rollouts.length === 0) {
    throw new Error("Cannot draw from rollouts: there is no step of them to learn from");
  }
  if (share > 0 && demonstrations.length === 0) {
    throw new Error(`Cannot draw ${share} of each batch from demonstrations: there is none`);
  }
  return { rollouts, demonstrations, share };
}

/** Rows of `calls` minibatches, [calls · batch]; in each, demonstrations come first. */
export function drawRows(draws: Stream, from: Mixture, calls: number, batch: number): Int32Array {
  const shown = Math.round(from.share * batch);
  return Int32Array.from({ length: calls * batch }, (_, i) => {
    const rows = i % batch < shown ? from.demonstrations : from.rollouts;
    return rows[draws.integer(rows.length)]!;
  });
}

/** The columns of chunk transitions at `rows`, as `calls` minibatches: state, chunk (flat), reward, mask, nextState. */
export function transitionsAt(data: ChunkData, rows: Int32Array, calls: number): Tensors {
  const chunk = gather(data.chunks, rows, calls);
  const [, batch, ...inner] = chunk.shape;
  return {
    state: gather(data.states, rows, calls),
    chunk: ndarray([calls, batch!, inner.reduce((a, b) => a * b, 1)], chunk.data),
    reward: gather(data.reward, rows, calls),
    mask: gather(data.mask, rows, calls),
    nextState: gather(data.states, rows.map((row) => data.next[row]!), calls),
  };
}
