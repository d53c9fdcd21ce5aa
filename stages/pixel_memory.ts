/** What learning from pictures takes of memory: known before anything runs. */
import { frameCapacity, frameReplayBytes } from "../data/frame_replay.ts";
import { frameBytes } from "../data/frames.ts";
import type { Shapes } from "../engine/trace.ts";
import { size } from "../ndarray.ts";
import { frameShape } from "../nn/vision.ts";
import type { Vision } from "../rl/pld_pixels.ts";
import { seenColumns, storage } from "./offline_seen.ts";

const GIB = 2 ** 30;

/** Bytes by what they are for. */
export type MemoryPlan = Readonly<Record<string, number>>;

/** Bytes of the transitions and their frames, of the batches of one call of the learner, and on the disk for checkpoints. */
export function memoryPlan(
  vision: Vision,
  { transitions, offline, batch, iterations, steps }: {
    /** Capacity of the online replay. */
    readonly transitions: number;
    /** Offline transitions, at most. */
    readonly offline: number;
    /** Shapes of one iteration's batch. */
    readonly batch: Shapes;
    /** Iterations of one call. */
    readonly iterations: number;
    /** Environment steps: each leaves a frame in the journal. */
    readonly steps: number;
  },
): { readonly memory: MemoryPlan; readonly disk: number } {
  const frame = frameShape(vision.cameras, vision.frames), kept = storage[vision.frames];
  const form = { columns: seenColumns, frame, storage: kept };
  return {
    memory: {
      [`replay of ${transitions} transitions`]: frameReplayBytes(transitions, form),
      [`${offline} offline transitions`]: frameReplayBytes(offline, form),
      [`batches of ${iterations} iterations`]: 4 * iterations *
        Object.values(batch).reduce((n, shape) => n + size(shape), 0),
    },
    disk: frameCapacity(steps) * frameBytes(frame, kept),
  };
}

const text = (bytes: number) => `${(bytes / GIB).toFixed(2)} GiB`;

/** The plan in a line. */
export function describeMemory({ memory, disk }: ReturnType<typeof memoryPlan>): string {
  const parts = Object.entries(memory).map(([what, bytes]) => `${what} ${text(bytes)}`);
  return `${parts.join(", ")}: ${text(total(memory))} of memory, ${
    text(disk)
  } of disk until the stage is done`;
}

function total(memory: MemoryPlan): number {
  return Object.values(memory).reduce((a, b) => a + b, 0);
}

/**
 * Makes sure that a plan stays within a limit.
 *
 * @param limit GiB
 * @param whose what sets the limit, for the message
 * @throws {RangeError} when it does not; the message says what takes how much, and what would take less
 */
export function assertMemory(plan: ReturnType<typeof memoryPlan>, limit: number, whose: string): void {
  if (total(plan.memory) <= limit * GIB) return;
  throw new RangeError(
    `Cannot learn from pictures within ${limit.toFixed(1)} GiB (${whose}): ${describeMemory(plan)}; lower ` +
      "learner.buffer, online.iterations, pixels.edge or the number of cameras, or keep features for pictures",
  );
}
