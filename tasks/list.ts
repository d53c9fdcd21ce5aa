/** `exp list`: experiments and where they stand. */
import { firstLine } from "../lab/errors.ts";
import { status, summarize } from "../lab/status.ts";
import type { Session } from "./session.ts";
import { table } from "./table.ts";

/** Lists every experiment, one line a seed. An experiment that cannot be loaded is a line that says so. */
export async function listCommand({ store, catalog, json }: Session): Promise<number> {
  const experiments = [];
  const broken: string[] = [];
  for (const name of catalog.names) {
    try {
      const first = await catalog.plan(name, { set: [] }, store);
      const { version, summary, seeds } = first.plan;
      const states = [];
      for (const seed of seeds) {
        const { plan, graph } = await catalog.plan(name, { set: [], seed }, store);
        const stages = status(plan, graph, store);
        const done = stages.filter(({ outcome }) => outcome).length;
        states.push({ seed, stages: stages.length, done, state: summarize(stages) });
      }
      experiments.push({ name, version, summary, seeds: states });
    } catch (error) {
      broken.push(firstLine(error));
    }
  }
  if (json) console.log(JSON.stringify({ experiments, broken }, null, 2));
  else {
    const rows = experiments.flatMap(({ name, version, summary, seeds }) =>
      seeds.map(({ seed, stages, done, state }) => [name, version, seed, `${done}/${stages}`, state, summary])
    );
    console.log(table(["experiment", "version", "seed", "stages", "state", "question"], rows));
  }
  for (const line of broken) console.error(line);
  return broken.length > 0 ? 1 : 0;
}
