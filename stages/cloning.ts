/** What a policy is cloned from: windows of demonstrations, and the units they are seen in. */
import { fit } from "../data/normalization.ts";
import type { Artifact } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import type { PolicyNormalization } from "../policies/policy.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { type Windows, windows } from "./windows.ts";

const ACTION = 7;

/** Demonstrations, cut and measured. */
export interface Demonstrations {
  /** One window for each control step, unnormalised. */
  readonly windows: Windows;
  /** z-scores of features and of single actions. */
  readonly normalization: PolicyNormalization;
  /** Widths of what the policy reads and writes. */
  readonly sizes: { readonly features: number; readonly horizon: number; readonly action: number };
}

/**
 * Cuts demonstrations into chunks of `horizon` actions and fits the units.
 *
 * @throws {Error} when there is no step, or an episode's task is not among `tasks`
 */
export async function readDemonstrations(
  artifacts: readonly Artifact[],
  { tasks, horizon }: { readonly tasks: readonly string[]; readonly horizon: number },
): Promise<Demonstrations> {
  const episodes = await readEpisodes(artifacts);
  const cut = windows(episodes, { order: tasks, horizon });
  // The single actions, not the windows: padding must not shift the statistics.
  const actions = ndarray(
    [episodes.reduce((n, { length }) => n + length, 0), ACTION],
    Float32Array.from(episodes.flatMap(({ columns }) => [...columns.action!.data])),
  );
  return {
    windows: cut,
    normalization: {
      features: fit(cut.features, { kind: "z-score", floor: 1e-3 }),
      actions: fit(actions, { kind: "z-score", floor: 1e-2 }),
    },
    sizes: { features: cut.features.shape[1]!, horizon, action: ACTION },
  };
}
