/**
 * Uplift for other programs: tensor programs compiled to ONNX, methods of off-policy reinforcement learning on top of a
 * pretrained policy, the tabletop environments, stored data, experiments, and the statistics of success rates. Nothing
 * inside the repository imports this module: there an import is part of a cache key.
 *
 * @example Two policies on the same 50 initial states
 * ```ts
 * import { mcnemar, tango } from "@uplift/uplift";
 *
 * const { estimate, low, high } = tango(14, 2, 50); // 14 states won, 2 lost
 * console.log(estimate, low, high, mcnemar(14, 2).p);
 * ```
 *
 * @example A function of tensors, compiled and run
 * ```ts
 * import { compile, ndarray, Session } from "@uplift/uplift";
 * import { square, sum } from "@tensorflow/tfjs-core";
 *
 * const program = compile(({ x }) => ({ y: sum(square(x!)) }), { x: [3] });
 * await using session = await Session.create(program);
 * const { y } = await session.run({ x: ndarray([3], Float32Array.of(1, 2, 3)) });
 * console.log(y!.data[0]); // 14
 * ```
 *
 * @module
 */
// NOTE: functions whose signatures name types of tfjs-core or zod are re-exported as constants. A plain re-export would
// ask of `deno doc --lint` that those packages' types be documented here.
import * as differentiate from "./engine/differentiate.ts";
import * as normalizeLayer from "./engine/normalize.ts";
import * as programs from "./engine/program.ts";
import * as tracing from "./engine/trace.ts";
import * as experiments from "./lab/experiment.ts";
import * as flowMethod from "./policies/flow.ts";
import * as policies from "./policies/policy.ts";
import * as awrMethod from "./rl/awr.ts";
import * as bestOfNMethod from "./rl/best_of_n.ts";
import * as calqlMethod from "./rl/calql.ts";
import * as cfgFlowMethod from "./rl/cfg_flow.ts";
import * as chunkBriefMethod from "./rl/chunk_brief.ts";
import * as chunkQMethod from "./rl/chunk_q.ts";
import * as dsrlMethod from "./rl/dsrl.ts";
import * as dsrlNaMethod from "./rl/dsrl_na.ts";
import * as iqlMethod from "./rl/iql.ts";
import * as noiseActorMethod from "./rl/noise_actor.ts";
import * as pldMethod from "./rl/pld.ts";
import * as ppoMethod from "./rl/ppo.ts";
import * as residualMethod from "./rl/residual.ts";
import * as riptMethod from "./rl/ript.ts";
import * as sacMethod from "./rl/sac.ts";
import * as steeringNoiseMethod from "./rl/steering_noise.ts";

// Random numbers: streams named by a seed and a path, equal on every machine.
export { Stream, stream } from "./random.ts";

// Host arrays: the form in which numbers enter and leave programs and files.
export { type Elements, type NDArray, ndarray, scalar, size, type Tensors } from "./ndarray.ts";

// Engine: functions of tfjs-core's tensors, traced, differentiated, compiled to ONNX and run.
export type { Device } from "./engine/providers/devices.ts";
export { Learner } from "./engine/learner.ts";
export type { Program } from "./engine/program.ts";
export { Session, type SessionOptions } from "./engine/session.ts";
export type { Shapes } from "./engine/trace.ts";

/** A tensor of tfjs-core: traced while a program is compiled, eager otherwise. */
export type Tensor = ReturnType<(typeof tracing)["constant"]>;

/** Tensors by flat name, e.g. "critic/0/kernel". */
export type Weights = Record<string, Tensor>;

/** Compiles a function for inputs of the given shapes: one call of the program is one evaluation. */
export const compile: (typeof programs)["compile"] = programs.compile;

/** Compiles K updates of a state into one call, K chosen at each call; a `Learner` runs them. */
export const compileUpdate: (typeof programs)["compileUpdate"] = programs.compileUpdate;

/** A loss, its gradient with respect to each named tensor, and metrics handed through. */
export const valueAndGradients: (typeof differentiate)["valueAndGradients"] = differentiate.valueAndGradients;

/** The same numbers as a constant of differentiation. */
export const stopGradient: (typeof tracing)["stopGradient"] = tracing.stopGradient;

/** A host array baked into the program while tracing; an eager tensor otherwise. */
export const constant: (typeof tracing)["constant"] = tracing.constant;

/** Layer normalisation over the last axis with gain and shift; x [B, H], or stacked [E, B, H] with gain [E, H]. */
export const layerNorm: (typeof normalizeLayer)["layerNorm"] = normalizeLayer.layerNorm;

// Policies: a stored flow policy in physical units, opened in the engine or as an ONNX program.
export type { Sizes as FlowSizes } from "./policies/flow.ts";
export { features, residualState, type Subject } from "./policies/features.ts";
export { FlowPolicy, type PolicyNormalization } from "./policies/policy.ts";

/** A stored flow policy as a self-contained ONNX program; how it draws chunks may be given. */
export const exportPolicy: (typeof policies)["exportPolicy"] = policies.exportPolicy;

/** The flow-matching chunk policy: hyperparameters, loss, sampling, update. */
export const flow: typeof flowMethod = flowMethod;

// Methods, one namespace each: hyperparameters, losses named after their equations, update, initial state.

/** PLD: residual SAC on a frozen base policy. */
export const pld: typeof pldMethod = pldMethod;

/** Cal-QL: the pretraining of PLD's critic on offline successes. */
export const calql: typeof calqlMethod = calqlMethod;

/** SAC from scratch, without a base: PLD's control. */
export const sac: typeof sacMethod = sacMethod;

/** DSRL-SAC: soft actor-critic on the initial noise of a frozen flow policy. */
export const dsrl: typeof dsrlMethod = dsrlMethod;

/** DSRL-NA: its critic learns on executed chunks and is distilled into one on noise. */
export const dsrlNa: typeof dsrlNaMethod = dsrlNaMethod;

/** The noise actor of both, its density and the program that acts. */
export const noiseActor: typeof noiseActorMethod = noiseActorMethod;

/** How an actor's noise fills a chunk: a repeated row, all rows, or knots. */
export const steeringNoise: typeof steeringNoiseMethod = steeringNoiseMethod;

/** RIPT's groups of rollouts and their leave-one-out advantages. */
export const ript: typeof riptMethod = riptMethod;

/** RIPT's policy update: PPO on a Laplace policy. */
export const ppo: typeof ppoMethod = ppoMethod;

/** CFG-Flow: a flow policy with a condition "positive", for guidance at sampling. */
export const cfgFlow: typeof cfgFlowMethod = cfgFlowMethod;

/** Advantage-weighted regression of a flow policy: CFG-Flow's baseline. */
export const awr: typeof awrMethod = awrMethod;

/** Critics on chunks of actions: QC's target and loss. */
export const chunkQ: typeof chunkQMethod = chunkQMethod;

/** Implicit Q-learning on chunks: the value is an expectile of the critics. */
export const iql: typeof iqlMethod = iqlMethod;

/** The best of N proposals of a frozen policy, by critics on chunks. */
export const bestOfN: typeof bestOfNMethod = bestOfNMethod;

/** Chunk-level offline RL by the losses of its description, for a Gaussian policy. */
export const chunkBrief: typeof chunkBriefMethod = chunkBriefMethod;

/** The residual policy that PLD trains: its scale over time and the program that acts. */
export const residual: typeof residualMethod = residualMethod;

// Environments: what an environment is, the ten tabletop tasks, many environments over workers, the scripted expert.
export {
  assertInitialState,
  type CameraSettings,
  type Environment,
  evaluationStates,
  type Image,
  type InitialState,
  type Lanes,
  type ObjectState,
  type Observation,
  type Step,
  type Task,
} from "./envs/environment.ts";
export { Pool } from "./envs/pool.ts";
export { openTabletop, tasks } from "./envs/tabletop.ts";
export { Expert } from "./envs/tabletop_expert.ts";

// Data: codecs with equal bytes for equal content, the replay buffer, returns, normalisation.
export { checkEpisode, type Episode } from "./data/episode.ts";
export { decodeEpisodes, encodeEpisodes } from "./data/episodes_arrow.ts";
export {
  decodeNormalizations,
  denormalize,
  encodeNormalizations,
  fit,
  type FitOptions,
  type Normalization,
  normalize,
} from "./data/normalization.ts";
export { Replay, type ReplayOptions, type Rows, type RowShapes } from "./data/replay.ts";
export { returnToGo, rewards } from "./data/returns.ts";
export {
  chunkDiscount,
  type ChunkForm,
  type ChunkTransitions,
  chunkTransitions,
  rewardCodes,
  writeChunk,
} from "./data/chunk_transitions.ts";
export { decodeMixedSafetensors, decodeSafetensors, encodeSafetensors } from "./data/safetensors.ts";
export { type Columns, decodeTable, encodeTable, numbers, strings } from "./data/table.ts";

// LeRobot data sets: read (v2.0 ... v3.0), written (v3.0), checked, converted.
export { checkDataset, type Checked, type Finding } from "./data/lerobot_check.ts";
export { convertDataset, type Converted, type ConvertOptions } from "./data/lerobot_convert.ts";
export { type Matrix, type OfflineEpisode, offlineEpisode } from "./data/lerobot_brief.ts";
export type { FrameColumn, Frames, NumberColumn } from "./data/lerobot_frames.ts";
export type { Feature, LeRobotInfo, LeRobotVersion } from "./data/lerobot_info.ts";
export { type EpisodeEntry, LeRobotDataset, type VideoPart } from "./data/lerobot_read.ts";
export type { QuantileRule, StoredStatistics } from "./data/lerobot_statistics.ts";
export { type LeRobotOptions, LeRobotWriter, type NewEpisode } from "./data/lerobot_write.ts";
export type { Files } from "./data/files.ts";
export { type ParquetColumn, ParquetFile, type Slices } from "./data/parquet_read.ts";
export type { EmbeddedImage, ParquetScalar } from "./data/parquet_write.ts";
export { decodePng, encodePng, type Picture } from "./data/png.ts";
export type { Pixels } from "./data/lerobot_statistics.ts";
export type { FeatureStatistics, QuantileName } from "./data/running_statistics.ts";

// Lab: what an experiment and a stage are.
export type { Json } from "./lab/canonical.ts";
export type { MethodStages } from "./lab/method_stages.ts";
export {
  type Expectation,
  type Given,
  given,
  type Graph,
  type Handle,
  type Handles,
  type Input,
  type Method,
  type Override,
  type StageOptions,
} from "./lab/experiment.ts";
export {
  type Artifact,
  type Budget,
  type Inputs,
  type Kind,
  mediaTypes,
  type Outputs,
  type Progress,
  type StageContext,
  type WholeFile,
} from "./lab/stage.ts";

/** Declares an experiment: the default export of its module. */
export const experiment: (typeof experiments)["experiment"] = experiments.experiment;

/** An experiment with any hyperparameters. */
export type Experiment = ReturnType<(typeof experiments)["experiment"]>;

/** What an experiment's graph function is given to add stages with. */
export type AddStage = Parameters<Experiment["graph"]>[0];

// Results: intervals and tests of success rates, comparisons of policies, reports.
export {
  aggregate,
  iqm,
  mean,
  type PairedCluster,
  pairedDifference,
  type Resampling,
} from "./results/bootstrap.ts";
export { CLOSE, compareOutputs, type Comparison, type Verdict } from "./results/compare.ts";
export type { Comparison as PolicyComparison, ComparisonRow, Pair } from "./results/comparisons.ts";
export {
  decodeEvaluation,
  type Outcome,
  type Rate,
  rate,
  type Uplift,
  uplift,
} from "./results/evaluation.ts";
export type { GroupsRow } from "./results/groups.ts";
export type { GuidanceRow } from "./results/guidance.ts";
export type { WeightingRow } from "./results/weighting.ts";
export type { MethodCost, MethodPoint, MethodRow } from "./results/methods.ts";
export type { PooledMethod, PooledMethods } from "./results/pooled_methods.ts";
export {
  buildReport,
  type Cost,
  type CurveRow,
  type Override as ReportOverride,
  type PolicyRow,
  type Report,
  type ReportInput,
  type StageRow,
} from "./results/report.ts";
export { aggregateSeeds, type SeedsReport, type Spread } from "./results/seeds.ts";
export {
  type Cluster,
  episodesToSettle,
  holm,
  type Interval,
  mcnemar,
  newcombe,
  type Power,
  signFlip,
  statesToSettle,
  student,
  tango,
  type Test,
  wilson,
  wilsonClustered,
} from "./results/statistics.ts";
