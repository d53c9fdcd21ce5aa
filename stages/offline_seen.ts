/**
 * Offline transitions with frames: stored episodes hold no pictures, so their actions are executed once more in a world
 * with cameras, from the same initial states, which gives the same episodes.
 */
import type { Episode } from "../data/episode.ts";
import { FrameReplay } from "../data/frame_replay.ts";
import { Frames, type FrameStorage } from "../data/frames.ts";
import type { Normalization } from "../data/normalization.ts";
import { Replay } from "../data/replay.ts";
import { returnToGo, rewards } from "../data/returns.ts";
import type { Lanes, Task } from "../envs/environment.ts";
import type { Tensors } from "../ndarray.ts";
import { frameShape } from "../nn/vision.ts";
import type { Vision } from "../rl/pld_pixels.ts";
import type { Cameras } from "./cameras.ts";
import { observationRow } from "./recording.ts";
import { PROPRIOCEPTION, Seeing } from "./seeing.ts";
import { type RewardForm, transitionShapes } from "./transitions.ts";

const ACTION = 7;

/** How frames of each kind are stored. */
export const storage = { pictures: "bytes", features: "halves" } as const satisfies Record<
  Vision["frames"],
  FrameStorage
>;

/** Columns of transitions whose states name frames. */
export const seenColumns = transitionShapes(PROPRIOCEPTION + 1);

/** What seeing episodes again needs. */
export interface Again {
  /** Environments with the cameras, as many as `lanes`. */
  readonly pool: Lanes;
  /** Episodes executed together. */
  readonly lanes: number;
  /** Their task. */
  readonly task: Task;
  /** What the learner sees. */
  readonly vision: Vision;
  /** The cameras. */
  readonly cameras: Cameras;
  /** Needed where features are kept. */
  readonly trunk: Tensors;
  /** The z-score of proprioception. */
  readonly scale: Normalization;
  /** Actions executed of each chunk of the base. */
  readonly execute: number;
  /** How rewards and returns are derived. */
  readonly reward: RewardForm;
  /** Threads of the trunk. */
  readonly threads: number;
}

/**
 * Transitions of the base's own successful episodes with frames, and the return-to-go as a further column, as
 * `offlineReplay` of transitions.ts makes them from states.
 *
 * @throws {Error} when an episode is no success, or does not come out as it was recorded
 */
export async function offlineSeen(episodes: readonly Episode[], again: Again): Promise<FrameReplay> {
  const { vision, reward: { gamma, rewardScale, rewardBias } } = again;
  const failed = episodes.find(({ success }) => !success);
  if (failed) {
    throw new Error(`Cannot use a failed episode of "${failed.task}" as offline data: keep successes`);
  }
  const count = episodes.reduce((n, { length }) => n + length, 0);
  const frames = new Frames(count, frameShape(vision.cameras, vision.frames), storage[vision.frames]);
  const states = await see(episodes, frames, again);
  const replay = new Replay(count, { ...seenColumns, returnToGo: [] });
  episodes.forEach(({ length, success, columns }, episode) => {
    const reward = rewards(length, success, rewardScale, rewardBias);
    const returns = returnToGo(length, success, gamma, rewardScale, rewardBias);
    for (let t = 0; t < length; t++) {
      const action = columns.action!.data.subarray(t * ACTION, (t + 1) * ACTION);
      // What a success led to is not looked at: nothing bootstraps from there.
      const next = Math.min(t + 1, length - 1);
      replay.add({
        state: states[episode]![t]!,
        base: action,
        action,
        reward: [reward[t]!],
        terminated: [t === length - 1 ? 1 : 0],
        truncated: [0],
        nextState: states[episode]![next]!,
        nextBase: columns.action!.data.subarray(next * ACTION, (next + 1) * ACTION),
        returnToGo: [returns[t]!],
      });
    }
  });
  return new FrameReplay(replay, frames);
}

/** What a learner sees at every step of every episode. */
async function see(episodes: readonly Episode[], frames: Frames, again: Again): Promise<Float32Array[][]> {
  const { pool, lanes, task, execute } = again;
  await using seeing = await Seeing.open({
    ...again,
    frames,
    trunk: again.vision.frames === "features" ? again.trunk : undefined,
    batch: lanes,
    session: { threads: again.threads },
  });
  const states: Float32Array[][] = episodes.map(() => []);
  for (let first = 0; first < episodes.length; first += lanes) {
    const group = episodes.slice(first, first + lanes);
    let observed = await Promise.all(
      group.map(({ split, index: state }, lane) => pool.reset(lane, task.name, { split, index: state })),
    );
    const longest = Math.max(...group.map(({ length }) => length));
    for (let t = 0; t < longest; t++) {
      group.forEach((episode, lane) => {
        if (t >= episode.length) return;
        const observation = observed[lane]!;
        assertSame(episode, t, observation);
        const plan = { task, state: { split: episode.split, index: episode.index }, noise: 0 };
        states[first + lane]!.push(
          seeing.see({ index: lane, plan, t, observation }, (t % execute) / execute),
        );
      });
      await seeing.flush();
      if (t + 1 === longest) break;
      const actions = Array.from({ length: lanes }, (_, lane) => {
        const episode = group[lane];
        return episode && t + 1 < episode.length
          ? episode.columns.action!.data.slice(t * ACTION, (t + 1) * ACTION)
          : undefined;
      });
      const steps = await pool.step(actions);
      observed = observed.map((before, lane) => steps[lane]?.observation ?? before);
    }
  }
  return states;
}

function assertSame(
  { task, columns }: Episode,
  t: number,
  observation: Parameters<typeof observationRow>[0],
) {
  const stored = columns.proprioception!, width = stored.shape[1]!;
  const found = observationRow(observation)["proprioception"]!;
  for (let i = 0; i < width; i++) {
    if (Math.fround(found[i]!) === stored.data[t * width + i]!) continue;
    throw new Error(
      `Cannot see an episode of "${task}" again: its proprioception at step ${t} is ${found[i]}, ` +
        `not ${stored.data[t * width + i]} as recorded; the world must be the one it was recorded in`,
    );
  }
}
