/** A stored LeRobot policy in lanes, as the stages open it that evaluate and that collect with it. */
import { join } from "node:path";
import type { Artifact, StageContext } from "../lab/stage.ts";
import { LerobotPolicy } from "../policies/lerobot.ts";
import { bridgeVariables, pythonOf } from "./lerobot_install.ts";
import { atMostOne, place } from "./lerobot_run.ts";
import type { ActingSettings } from "./lerobot_settings.ts";
import { RemoteBase } from "./remote_base.ts";
import { RemotePolicy } from "./remote_policy.ts";

/** The policy; its tokenizer's folder; statistics that its own must match: none leaves them unchecked. */
export const lerobotInputs = {
  checkpoint: "checkpoint",
  tokenizer: "checkpoint[]",
  normStats: "document[]",
} as const;

/** A policy in its process, and what acts with it. */
export interface LerobotActor extends AsyncDisposable {
  /** The process. */
  readonly policy: LerobotPolicy;
  /** Acts in lanes. */
  readonly actor: RemotePolicy;
}

/** What opening a policy needs of a stage's context. */
type Context =
  & Pick<
    StageContext<Record<string, never>, Record<string, never>, unknown>,
    "seed" | "scratch"
  >
  & {
    readonly input: {
      readonly checkpoint: Artifact;
      readonly tokenizer: readonly Artifact[];
      readonly normStats: readonly Artifact[];
    };
  };

interface Settings {
  readonly lerobot: ActingSettings;
  readonly execute: number;
}

/**
 * Starts the policy of some inputs. Its noise comes from our streams, so that episodes pair with those of every other policy.
 *
 * @throws {Error} when the world has not two cameras, or the policy cannot be opened
 */
export async function openLerobot(context: Context, settings: Settings): Promise<LerobotActor> {
  const { policy, cameras, noise } = await start(context, settings);
  const actor = new RemotePolicy(policy, { cameras, execute: settings.execute, noise, seed: context.seed });
  return { policy, actor, [Symbol.asyncDispose]: () => policy[Symbol.asyncDispose]() };
}

/** The same as the frozen base of residual learning, in a process of its own. */
export async function openLerobotBase(
  context: Context,
  { lanes, ...settings }: Settings & { readonly lanes: number },
): Promise<RemoteBase> {
  const { policy, cameras, noise } = await start(context, settings);
  return new RemoteBase({
    infer: (observation) => policy.infer(observation),
    ...{ cameras, lanes, execute: settings.execute, noise, seed: context.seed },
    close: () => policy[Symbol.asyncDispose](),
  });
}

async function start(
  { input, scratch }: Context,
  { lerobot }: Settings,
): Promise<{ policy: LerobotPolicy; cameras: [string, string]; noise: number[] }> {
  const [table, wrist, ...others] = lerobot.world.cameras ?? [];
  if (!table || !wrist || others.length > 0) {
    throw new Error(
      "Cannot show a LeRobot policy its world: it takes two cameras, over the table and on the wrist",
    );
  }
  const folder = scratch();
  const tokenizer = atMostOne(input.tokenizer, "tokenizer"), stats = atMostOne(input.normStats, "normStats");
  place(input.checkpoint, join(folder, "policy"));
  if (tokenizer) place(tokenizer, join(folder, "tokenizer"));
  const policy = await LerobotPolicy.open({ program: pythonOf(), env: bridgeVariables(lerobot) }, {
    path: join(folder, "policy"),
    normStats: stats?.path ?? "policy",
    mismatch: lerobot.mismatch,
    tokenizer: tokenizer && join(folder, "tokenizer"),
    device: lerobot.device,
    guidance: lerobot.guidance ?? undefined,
    steps: lerobot.steps ?? undefined,
  });
  const { horizon, noise_width } = policy.description;
  return {
    policy,
    cameras: [table.name, wrist.name],
    noise: noise_width === 0 ? [] : [horizon, noise_width],
  };
}
