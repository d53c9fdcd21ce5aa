/**
 * Simulators outside this repository: which ones a plan needs, and what they are on this machine now. A plan may come
 * from the cache, its simulators are asked at every command: a cached plan must not freeze an old fingerprint.
 */
import type { z } from "zod";
import { documentHash, type Json } from "./canonical.ts";
import { firstLine } from "./errors.ts";
import { isGiven, sources } from "./given.ts";
import { type Code, type ModuleGraph, repository } from "./module_graph.ts";
import type { Plan, PlannedStage } from "./plan.ts";
import type { Simulator } from "./stage.ts";

/** A simulator as a plan names it, and as it was found. */
export interface PlannedSimulator {
  /** Repository-relative path of the module that drives it. */
  readonly entry: string;
  /** What that module is asked with. */
  readonly settings: Json;
  /** A line for reports; absent until it was asked. */
  readonly description?: string;
  /** Whatever decides its bytes; absent until it was asked, and where it is missing. */
  readonly fingerprint?: Json;
  /** Why it cannot be used here, with the mend; absent where it can. */
  readonly missing?: string;
}

/** What a simulator's module exports. */
interface SimulatorModule {
  fingerprint(settings: Json): Json | Promise<Json>;
  describe(settings: Json): string;
}

/**
 * The simulator that a stage's parameters ask for, as a plan names it: the schema of one of them says so in its metadata.
 *
 * @throws {Error} when there are two, or its module lies outside the repository
 */
export function simulatorIn(schema: z.ZodType, parameters: unknown): PlannedSimulator | undefined {
  const shape = (schema as { shape?: Readonly<Record<string, z.ZodType>> }).shape ?? {};
  const found = Object.entries(shape).flatMap(([name, field]) => {
    const simulator = field.meta()?.simulator as ((value: unknown) => Simulator | undefined) | undefined;
    return simulator?.((parameters as Readonly<Record<string, unknown>>)[name]) ?? [];
  });
  if (found.length > 1) throw new Error("Cannot plan a stage with two simulators: give it one");
  return found[0] && planned(found[0]);
}

function planned({ module, settings }: Simulator): PlannedSimulator {
  if (!module.startsWith(repository.href)) {
    throw new Error(`Cannot use simulator ${module}: its module must lie in the repository`);
  }
  return { entry: decodeURIComponent(module.slice(repository.href.length)), settings: settings as Json };
}

/** Asks every simulator of a plan what it is now, and adds their modules to the graph. */
export async function askSimulators(plan: Plan, graph: ModuleGraph): Promise<Plan> {
  const needed = plan.stages.flatMap(({ simulator }) => simulator ?? []);
  if (needed.length === 0) return plan;
  await graph.add([...new Set(needed.map(({ entry }) => entry))]);
  const asked = new Map<string, Promise<PlannedSimulator>>();
  const answer = (simulator: PlannedSimulator) => {
    const { entry, settings } = simulator;
    const name = documentHash({ entry, settings });
    if (!asked.has(name)) asked.set(name, ask({ entry, settings }));
    return asked.get(name)!;
  };
  const stages = await Promise.all(
    plan.stages.map(async (stage) =>
      stage.simulator ? { ...stage, simulator: await answer(stage.simulator) } : stage
    ),
  );
  return { ...plan, stages };
}

async function ask({ entry, settings }: PlannedSimulator): Promise<PlannedSimulator> {
  const module: SimulatorModule = await import(new URL(entry, repository).href);
  const described = { entry, settings, description: module.describe(settings) };
  try {
    return { ...described, fingerprint: await module.fingerprint(settings) };
  } catch (thrown) {
    return { ...described, missing: firstLine(thrown) };
  }
}

/**
 * What a plan's evaluations were measured in: a line for each simulator, none for worlds within this repository. A stage that
 * joins evaluations was measured where they were.
 */
export function worldsOf({ stages, evaluations }: Plan): string[] {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const pending = Object.values(evaluations).map(({ stage }) => stage);
  const used = new Set<string>();
  const seen = new Set<string>();
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    const stage = byName.get(name);
    if (!stage || seen.has(name)) continue;
    seen.add(name);
    if (stage.simulator?.description !== undefined) used.add(stage.simulator.description);
    if (stage.simulator) continue;
    for (const source of sources(stage)) {
      if (isGiven(source) || byName.get(source.stage)?.outputs[source.output] !== "evaluation") continue;
      pending.push(source.stage);
    }
  }
  return [...used];
}

/** The modules where a stage's code starts: its own, and those that drive its simulator and its device. */
export function entriesOf({ entry, simulator, device }: PlannedStage): [string, ...string[]] {
  return [entry, ...(simulator ? [simulator.entry] : []), ...(device ? [device.entry] : [])];
}

/** All code that a stage reaches, through its simulator and device too. */
export function codeOf(stage: PlannedStage, graph: ModuleGraph): Code {
  return graph.reach(...entriesOf(stage));
}

/**
 * Makes sure that the simulators and devices of some stages are here.
 *
 * @throws {Error} with the mend, when one is missing
 */
export function assertSimulators(stages: readonly PlannedStage[]): void {
  for (const { simulator, device } of stages) {
    const missing = simulator?.missing ?? device?.missing;
    if (missing !== undefined) throw new Error(missing);
  }
}
