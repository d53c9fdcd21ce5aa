/** What the stages of QC and QC-FQL share: batches from one buffer of chunk transitions, an actor that is still learning. */
import type { Normalization } from "../data/normalization.ts";
import { decodeNormalizations } from "../data/normalization.ts";
import { Replay } from "../data/replay.ts";
import type { Weights } from "../engine/differentiate.ts";
import type { Program } from "../engine/program.ts";
import type { SessionOptions } from "../engine/session.ts";
import type { Shapes } from "../engine/trace.ts";
import type { Episode } from "../data/episode.ts";
import type { Artifact } from "../lab/stage.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import type { PolicyNormalization } from "../policies/policy.ts";
import type { Stream } from "../random.ts";
import { type ChunkLearner, columns, type Sizes } from "../rl/qc.ts";
import { BestOfN, ChunkScorer } from "./best_of_n_lanes.ts";
import { chunkRows, seenIn, type View } from "./chunk_rows.ts";
import { ChunkSampler } from "./chunk_sampler.ts";

const ACTION = 7;

/** A method of chunks with its own flow: the modules rl/qc.ts and rl/qc_fql.ts. */
export interface ChunkMethod<H extends ChunkLearner> {
  /** One update, for `compileUpdate`. */
  update(
    h: H,
    units: PolicyNormalization,
  ): (state: Weights, batch: Weights) => { state: Weights; metrics: Weights };
  /** Shapes of one update. */
  updateShapes(sizes: Sizes, h: H): { state: Shapes; batch: Shapes };
  /** A fresh learner state. */
  initialize(draws: Stream, sizes: Sizes, h: H): Tensors;
  /** What proposes chunks. */
  sampler(rows: number, sizes: Sizes, units: PolicyNormalization, h: H): Program;
}

/**
 * The units of features and actions that a file names.
 *
 * @throws {Error} when it names no "features" or no "actions"
 */
export async function readUnits({ path, digest }: Artifact): Promise<PolicyNormalization> {
  const { features, actions } = decodeNormalizations(await Deno.readFile(path));
  if (!features || !actions) {
    throw new Error(`Cannot read the units ${digest}: they must name "features" and "actions"`);
  }
  return { features, actions };
}

/** Widths of what critic and flow see. */
export function sizesOf(scale: Normalization, units: PolicyNormalization): Sizes {
  return { state: scale.center.length, features: units.features.center.length, action: ACTION };
}

/** A buffer that starts with the chunks of `episodes` and has room for `more`, up to the learner's capacity. */
export function bufferOf(
  episodes: readonly Episode[],
  { view, sizes, h, more }: { view: View; sizes: Sizes; h: ChunkLearner; more: number },
): Replay {
  const steps = episodes.reduce((sum, { length }) => sum + length, 0);
  const replay = new Replay(Math.min(h.buffer, steps + more), columns(sizes, h));
  for (const episode of episodes) {
    for (const row of chunkRows(episode, seenIn(episode, view), h)) replay.add(row);
  }
  return replay;
}

/** Batches of `calls` updates: stored columns drawn uniformly from the buffer, all others from N(0, I), times from U(0, 1]. */
export function drawBatches(
  shapes: Shapes,
  calls: number,
  { replay, rows, noise }: { replay: Replay; rows: Stream; noise: Stream },
): Tensors {
  const batches = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, ndarray([calls, ...shape])]),
  );
  const stored = new Set(Object.keys(replay.rows()));
  const split = Object.groupBy(Object.entries(batches), ([name]) => stored.has(name) ? "stored" : "drawn");
  replay.sample(rows, Object.fromEntries(split.stored!), 0, batches.reward!.data.length);
  for (const [name, { data }] of split.drawn!) {
    if (name === "time") { for (let i = 0; i < data.length; i++) data[i] = 1 - noise.uniform(); }
    else noise.fillNormal(data);
  }
  return batches;
}

/** Lanes in which a learner state acts: the best of its proposals by its newest critics. */
export interface LearnedActor extends AsyncDisposable {
  /** The actor; its weights can be replaced. */
  readonly actor: BestOfN;
  /** Acts with newer weights from the next query on. */
  weights(weights: Tensors): void;
}

/** Opens the actor of a learner state; `candidates` 1: what the sampler draws is what is done. */
export async function openActor<H extends ChunkLearner>(
  method: ChunkMethod<H>,
  { weights, lanes, candidates, view, units, h, seed, session }: {
    weights: Tensors;
    lanes: number;
    candidates: number;
    view: View;
    units: PolicyNormalization;
    h: H;
    seed: number;
    session?: SessionOptions;
  },
): Promise<LearnedActor> {
  const { scale, tasks } = view;
  const program = method.sampler(lanes * candidates, sizesOf(scale, units), units, h);
  const sampler = await ChunkSampler.open(program, weights, session);
  const how = { critic: "critic", aggregate: h.reduction, activation: h.activation } as const;
  const scorer = await ChunkScorer.open({
    ...{ weights, scale, lanes, candidates, how },
    ...(session ? { session } : {}),
  });
  return {
    actor: new BestOfN(sampler, scorer, { seed, tasks }),
    weights: (newer) => {
      sampler.weights = newer;
      scorer.weights = newer;
    },
    [Symbol.asyncDispose]: async () => {
      await sampler[Symbol.asyncDispose]();
      await scorer[Symbol.asyncDispose]();
    },
  };
}
