/** Rolls a LeRobot policy out as the base of PLD: its successes are offline data. The twin of `collect_successes.ts`. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { Expert } from "../envs/environment.ts";
import type { StageContext } from "../lab/stage.ts";
import { stream } from "../random.ts";
import * as collecting from "./collect_successes.ts";
import { runEpisodes } from "./episode_batch.ts";
import { lerobotInputs, openLerobotBase } from "./lerobot_actor.ts";
import { lerobotActor } from "./lerobot_settings.ts";
import type { OpenedBase } from "./online_lanes.ts";
import type { Actor, Decision, Lane } from "./rollout.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy, its tokenizer and statistics. */
export const inputs = lerobotInputs;
/** The successful episodes, with the base's actions. */
export const outputs = collecting.outputs;

const { world: _, tasks: __, ...rest } = collecting.parameters.shape;

/** What the stage is told. */
export const parameters = z.strictObject({
  lerobot: lerobotActor,
  ...rest,
  by: z.enum(["policy", "expert"]).default("policy").describe(
    "who acts: the policy; or the scripted expert, with the policy's actions beside its own, where the policy never succeeds",
  ),
});

/** The scripted expert in lanes; the base is asked all the same, for the column of its actions. */
class Shown implements Actor {
  readonly #base: OpenedBase;
  readonly #open: (lane: Lane) => Expert;
  readonly #experts = new Map<number, Expert>();

  constructor(base: OpenedBase, open: (lane: Lane) => Expert) {
    this.#base = base;
    this.#open = open;
  }

  begin(lane: Lane): void {
    this.#base.begin(lane);
    this.#experts.set(lane.index, this.#open(lane));
  }

  async act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]> {
    await this.#base.refresh(lanes);
    return lanes.map((lane) => {
      if (!lane) return undefined;
      const base = this.#base.action(lane.index).slice();
      this.#base.advance(lane.index);
      const action = Float32Array.from(this.#experts.get(lane.index)!.act(lane.observation));
      return { action, row: { base } };
    });
  }
}

/** Runs episodes until enough of them succeeded. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lerobot, task: name, episodes, attempts, first, lanes, by } = context.parameters;
  const world = await openWorld(lerobot.world);
  const task = world.task(name);
  await using base = await openLerobotBase(context, context.parameters);
  const expert = ({ plan: { state } }: Lane) =>
    world.expert(task, stream(context.seed, "expert", name, state.index));
  await using pool = await world.pool({ lanes, workers: context.workers });
  const { kept, tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: by === "policy" ? base : new Shown(base, expert),
    observations: true,
    wanted: episodes,
    keep: ({ success }) => success,
    plan: (i) =>
      i < attempts ? { task, state: { split: "training", index: first + i }, noise: 0 } : undefined,
  });
  context.log(`${kept.length} successes of ${tried.length} episodes of "${name}"`);
  await context.output.episodes.write(encodeEpisodes(kept));
}
