/** Demonstrations by the scripted expert, with noise injected so that they vary; successes only. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { Expert } from "../envs/environment.ts";
import type { StageContext } from "../lab/stage.ts";
import { stream } from "../random.ts";
import { runEpisodes } from "./episode_batch.ts";
import type { Actor } from "./rollout.ts";
import { openWorld, type World, world as settings } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Nothing: the expert is scripted. */
export const inputs = {} as const;
/** The successful demonstrations. */
export const outputs = { episodes: "episodes" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  world: settings,
  task: z.string().describe("name of the task"),
  episodes: z.int().min(1).max(10_000).describe("successful demonstrations to keep"),
  first: z.int().min(0).describe("first training initial state used"),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
});

/** The scripted expert in every lane, each episode with its own random habits. */
class ExpertActor implements Actor {
  readonly #experts: (Expert | undefined)[] = [];
  readonly #world: World;
  readonly #seed: number;

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#seed = seed;
  }

  begin({ index, plan: { task, state } }: Parameters<Actor["begin"]>[0]): void {
    const habits = stream(this.#seed, "expert", task.name, state.index);
    this.#experts[index] = this.#world.expert(task, habits);
  }

  act(lanes: Parameters<Actor["act"]>[0]): ReturnType<Actor["act"]> {
    return Promise.resolve(
      lanes.map((lane) =>
        lane && { action: Float32Array.from(this.#experts[lane.index]!.act(lane.observation)) }
      ),
    );
  }
}

/** Runs the expert until enough of its episodes succeeded. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { task: name, episodes, first, lanes } = context.parameters;
  const world = await openWorld(context.parameters.world);
  const task = world.task(name);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const { kept } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: new ExpertActor(world, context.seed),
    observations: true,
    wanted: episodes,
    keep: (episode) => episode.success,
    plan: (i) =>
      i < 4 * episodes + 20 ? { task, state: { split: "training", index: first + i }, noise: 0 } : undefined,
  });
  await context.output.episodes.write(encodeEpisodes(kept));
}
