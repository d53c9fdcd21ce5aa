/**
 * Published settings of DSRL by name, as values by path of an experiment's hyperparameters, so that users of each
 * system recognise theirs. An experiment takes the paths it has and names what it changes.
 */
import type { Hyperparameters } from "./dsrl.ts";

/** A published setting. */
export interface Preset {
  /** Where the values stand. */
  readonly source: string;
  /** Values by path: "learner.…" of `dsrl.ts`, "online.…", "noise.…" and "base.…" of the stages that steer. */
  readonly values: Readonly<Record<string, number | string | boolean | null>>;
  /** What the system has and we do not, or do otherwise. */
  readonly departures: readonly string[];
}

/** The learner's side of a preset; a mistyped name does not compile. */
function learner(values: Partial<Hyperparameters>): Preset["values"] {
  return Object.fromEntries(
    Object.entries(values).map((
      [name, value],
    ) => [`learner.${name}`, value as number | string | boolean | null]),
  );
}

const common = {
  batch: 256,
  tau: 0.005,
  actorLearningRate: 1e-4,
  criticLearningRate: 3e-4,
  temperatureLearningRate: 3e-4,
  weightDecay: 0,
  clipNorm: null,
  rewardScale: 1,
  rewardBias: -1,
  initialTemperature: 1,
  layers: 3,
  activation: "relu",
  actorLayerNorm: false,
  criticLayerNorm: true,
} as const;

const ensemble = { critics: 10, reduction: "mean", width: 128, gamma: 0.999 } as const;

/** All presets by name. */
export const presets = {
  "dsrl-libero": {
    source: "nakamotoo/dsrl_pi0: examples/scripts/run_libero.sh, examples/launch_train_sim.py",
    values: {
      ...learner({ ...common, ...ensemble, buffer: 25_000, magnitude: 1, targetEntropy: null }),
      "noise.shape": "repeated",
      "base.execute": 20,
      "online.updatesPerQuery": 20,
      "online.start": 500,
      "online.steps": 500_000,
      "online.lanes": 1,
      "online.evaluateEvery": 10_000,
      "online.evaluationEpisodes": 10,
    },
    departures: [
      "budgets there count gradient steps, about one for each environment step",
      "updates there come after each episode, here after each query",
      "evaluation there samples w; here both are reported",
    ],
  },
  "dsrl-aloha": {
    source: "nakamotoo/dsrl_pi0: examples/scripts/run_aloha.sh",
    values: {
      ...learner({ ...common, ...ensemble, buffer: 150_000, magnitude: 2, targetEntropy: 0 }),
      "noise.shape": "repeated",
      "base.execute": 50,
      "online.updatesPerQuery": 20,
      "online.start": 1000,
      // 3,000,000 gradient steps at 20 a query of 50 environment steps.
      "online.steps": 7_500_000,
      "online.lanes": 1,
      "online.evaluateEvery": 25_000,
      "online.evaluationEpisodes": 10,
    },
    departures: [
      "budgets there count gradient steps, 20 for each query of 50 environment steps",
      "updates there come after each episode, here after each query",
      "pictures there are scaled to 64 pixels with Pillow's bicubic filter, here with its bilinear one",
    ],
  },
  "dsrl-franka": {
    source: "nakamotoo/dsrl_pi0: examples/scripts/run_real.sh, examples/launch_train_real.py",
    values: {
      ...learner({
        ...common,
        ...{ gamma: 0.99, critics: 2, reduction: "min", width: 1024, magnitude: 2.5, targetEntropy: 0 },
      }),
      "noise.shape": "repeated",
      "base.execute": 10,
      "online.updatesPerQuery": 30,
      "online.steps": 500_000,
      "online.lanes": 1,
    },
    departures: [
      "5,000 gradient steps come before the first steered episode there",
      "sees three cameras at 128 pixels and 2,048 numbers of the base's last prefix token",
    ],
  },
  "dsrl-rlinf": {
    source: "RLinf: examples/embodiment/config/libero_spatial_dsrl_openpi.yaml",
    values: {
      ...learner({
        ...common,
        ...ensemble,
        ...{ batch: 512, buffer: 15_000, magnitude: 1, targetEntropy: -16 },
      }),
      "noise.shape": "repeated",
      "base.execute": 5,
      // 200 updates an epoch of 16 environments with 240 / 5 queries each.
      "online.updatesPerQuery": 200 / (16 * 48),
      "online.start": 10,
      "online.lanes": 16,
    },
    departures: [
      "the actor starts 10 critic updates later there, and alpha is a softplus",
      "the critic there sees row 0 of the noise; one fixed task and initial state (specific_reset_id 0)",
      "bfloat16 with a float32 average there",
    ],
  },
} as const satisfies Readonly<Record<string, Preset>>;

/** Values of a preset whose paths match. */
export function valuesOf(
  name: keyof typeof presets,
  paths: RegExp,
): Record<string, number | string | boolean | null> {
  return Object.fromEntries(Object.entries(presets[name].values).filter(([path]) => paths.test(path)));
}
