/** Chunks in lanes: what a policy proposed, of which the first few actions run open loop before it is asked again. */
import type { Actor, Decision, Lane } from "./rollout.ts";

const ACTION = 7;

/** Where a lane stands in its chunk; enough to continue an interrupted episode. */
export interface ChunkCursor {
  /** The chunk in use, [horizon, 7]. */
  chunk: Float32Array;
  /** Actions of it already executed. */
  used: number;
  /** Chunks asked for in this episode. */
  queries: number;
}

/** The bookkeeping of all lanes; where chunks come from is the business of those that extend it. */
export abstract class OpenLoop implements Actor {
  readonly #execute: number;
  readonly #cursors: ChunkCursor[];

  /** Starts `lanes` lanes without a chunk; `execute` actions of each are executed. */
  constructor({ lanes, execute }: { readonly lanes: number; readonly execute: number }) {
    this.#execute = execute;
    this.#cursors = Array.from({ length: lanes }, () => this.#fresh());
  }

  #fresh(): ChunkCursor {
    return { chunk: new Float32Array(0), used: this.#execute, queries: 0 };
  }

  begin({ index }: Lane): void {
    this.#cursors[index] = this.#fresh();
  }

  /** The lane's place in its chunk, shared with the caller: write to it to restore a lane. */
  cursor(lane: number): ChunkCursor {
    return this.#cursors[lane]!;
  }

  /** Whether a lane has no action left, so that `refresh` would bring a new chunk. */
  due(lane: number): boolean {
    return this.cursor(lane).used >= this.#execute;
  }

  /** Brings a new chunk to every occupied lane whose chunk is used up. */
  abstract refresh(lanes: readonly (Lane | undefined)[]): Promise<void>;

  /** A lane's new chunk, [horizon, 7]. */
  protected renew(lane: number, chunk: Float32Array): void {
    Object.assign(this.cursor(lane), { chunk, used: 0, queries: this.cursor(lane).queries + 1 });
  }

  /** The base action (7) of a lane at this control step; valid after `refresh`. */
  action(lane: number): Float32Array {
    const { chunk, used } = this.cursor(lane);
    return chunk.subarray(used * ACTION, (used + 1) * ACTION);
  }

  /** Position within the executed part of the chunk, in [0, 1). */
  phase(lane: number): number {
    return this.cursor(lane).used / this.#execute;
  }

  /** Moves a lane on by one control step. */
  advance(lane: number): void {
    this.cursor(lane).used++;
  }

  /** The next action (7) of a lane, which moves on by one; valid after `refresh`. */
  next(lane: number): Float32Array {
    const action = this.action(lane).slice();
    this.advance(lane);
    return action;
  }

  async act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]> {
    await this.refresh(lanes);
    return lanes.map((lane) => {
      if (!lane) return undefined;
      const action = this.next(lane.index);
      return { action, row: { base: action } };
    });
  }
}
