/** `exp doctor NAME`: what an experiment needs of this machine, what of it is missing, and the command that gets it. */
import { existsSync } from "node:fs";
import { firstLine } from "../lab/errors.ts";
import type { Need } from "../lab/experiment.ts";
import { isGiven, sources } from "../lab/given.ts";
import { repository } from "../lab/module_graph.ts";
import type { Plan } from "../lab/plan.ts";
import type { PlannedSimulator } from "../lab/simulator.ts";
import type { Store } from "../lab/store.ts";
import type { Check } from "./doctor.ts";
import { oneRequest, type RequestOptions, type Session } from "./session.ts";

/** A server that answers needs nothing more of this machine. */
const SERVER = "policy server";

/** All checks of an experiment under a request: its simulators, servers and given objects, and what it says that it needs. */
export async function experimentChecks(
  name: string,
  options: RequestOptions,
  { catalog, store }: Session,
): Promise<Check[]> {
  const { plan } = await catalog.plan(name, await oneRequest(options), store);
  const { stages, request } = plan;
  const asked = `${stages.length} stages, seed ${plan.seed}${
    request.preset ? `, preset ${request.preset}` : ""
  }`;
  const checks: Check[] = [{ name: "plan", ok: true, detail: asked }];
  checks.push(...await simulatorChecks(plan), ...devices(plan), ...given(plan, store));
  // A smoke preset is there to need nothing of what the defaults need.
  const needs = request.preset === "smoke" ? [] : plan.needs ?? [];
  const refined = checks.map((check) => refine(check, needs.find((need) => need.name === check.name)));
  const answers = checks.some(({ name, ok }) => name === SERVER && ok);
  const other = needs.filter(({ name }) =>
    !checks.some((check) => check.name === name) && !(answers && name.startsWith(SERVER))
  );
  return [...refined, ...await Promise.all(other.map(needed))];
}

/** A check of the machine in the words of the experiment, where it has some. */
function refine(check: Check, need: Need | undefined): Check {
  if (check.ok || !need) return check;
  return { ...check, detail: `${check.detail}; ${need.detail}`, mend: need.mend };
}

/** What the module of a simulator may say of itself, beside whether it can be used. */
interface SelfChecking {
  checks?(settings: unknown): Check[] | Promise<Check[]>;
}

async function simulatorChecks({ stages }: Plan): Promise<Check[]> {
  const distinct = new Map<string, PlannedSimulator>();
  for (const { simulator } of stages) {
    if (simulator) distinct.set(JSON.stringify([simulator.entry, simulator.settings]), simulator);
  }
  const found: Check[] = [];
  for (const { entry, settings, description, missing } of distinct.values()) {
    const module: SelfChecking = await import(new URL(entry, repository).href);
    if (module.checks) found.push(...await module.checks(settings));
    else if (missing === undefined) found.push({ name: "simulator", ok: true, detail: description ?? entry });
    else found.push({ name: "simulator", ok: false, detail: missing });
  }
  // Stages of one experiment often ask for the same thing in other words.
  return [...new Map(found.map((check) => [JSON.stringify(check), check])).values()];
}

function devices({ stages }: Plan): Check[] {
  const distinct = new Map(stages.flatMap(({ device }) => device ? [[device.name, device] as const] : []));
  return [...distinct.values()].map(({ name, missing }) =>
    missing === undefined
      ? { name: `device ${name}`, ok: true, detail: "programs run there" }
      : { name: `device ${name}`, ok: false, detail: missing, mend: "deno task exp doctor gpu" }
  );
}

function given({ stages }: Plan, { objects }: Store): Check[] {
  const all = stages.flatMap((stage) => [...sources(stage)]).filter(isGiven);
  const distinct = new Map(all.map(({ given, kind }) => [given, kind]));
  return [...distinct].map(([digest, kind]) => {
    const there = existsSync(objects.path(digest));
    if (/^sha256:0+$/.test(digest)) {
      return { name: kind, ok: false, detail: "none is named", mend: "name one" };
    }
    const detail = there ? `${digest} is in the store` : `this store has no object ${digest}`;
    return { name: kind, ok: there, detail, mend: "exp import takes it from another store's export" };
  });
}

async function needed({ name, detail, mend, check }: Need): Promise<Check> {
  switch (check?.kind) {
    case "gpu": {
      const found = await graphics();
      const enough = found.some(({ gigabytes }) => gigabytes >= check.gigabytes);
      const seen = found.length === 0 ? "none here" : found.map(({ text }) => text).join("; ");
      return { name, ok: enough, detail: `${seen}: ${detail}`, mend };
    }
    case "file": {
      const there = existsSync(check.path);
      return {
        name,
        ok: there,
        detail: `${check.path} is ${there ? "there" : "not there"}: ${detail}`,
        mend,
      };
    }
    case undefined:
      // Nobody can tell from here: whoever runs it has to know.
      return { name, ok: true, detail: `not checked: ${detail} (${mend})` };
  }
}

/** The graphics cards that NVIDIA's driver names. */
async function graphics(): Promise<{ gigabytes: number; text: string }[]> {
  try {
    const { success, stdout } = await new Deno.Command("nvidia-smi", {
      args: ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
      stderr: "null",
    }).output();
    if (!success) return [];
    return new TextDecoder().decode(stdout).trim().split("\n").map((line) => {
      const [card = "", mebibytes = ""] = line.split(",").map((part) => part.trim());
      const gigabytes = Number(mebibytes) / 1024;
      return { gigabytes, text: `${card}, ${gigabytes.toFixed(0)} GiB` };
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    return [{ gigabytes: 0, text: firstLine(error) }];
  }
}
