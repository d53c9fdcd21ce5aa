/**
 * What programs run on beside the CPU. The engine's table of devices names the code that serves each, and a probe that
 * tells what decides its bits: both enter the keys of the stages that run programs there. On the CPU nothing is added.
 */
import type { Json } from "./canonical.ts";
import { UsageError } from "./errors.ts";
import { type ModuleGraph, repository } from "./module_graph.ts";
import type { Plan, PlannedStage } from "./plan.ts";
import { Slots } from "./slots.ts";

/** A device as a stage of a plan has it. */
export interface PlannedDevice {
  /** Its name, e.g. "cuda". */
  readonly name: string;
  /** Repository-relative path of the module that serves it. */
  readonly entry: string;
  /** Whatever decides its bits; absent where it cannot be used. */
  readonly fingerprint?: Json;
  /** Why it cannot be used here, with the mend; absent where it can. */
  readonly missing?: string;
}

/** What a probe prints. */
export interface Probe {
  /** One line of the doctor each. */
  readonly checks: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly detail: string;
    readonly mend?: string;
  }[];
  /** Whatever decides the device's bits; absent where a check failed. */
  readonly fingerprint?: Json;
}

/** Stages take turns on a device beside the CPU: while one records its work there, no other may call it. */
export const turns: Slots = new Slots(1);

/** Programs are run by whoever reaches this module. */
const ENGINE = "engine/session.ts";
const PROVIDERS = "engine/providers/";

type Table = Readonly<Record<string, { readonly provider: string; readonly probe?: string }>>;

async function table(): Promise<Table> {
  const { devices } = await import(new URL(`${PROVIDERS}devices.ts`, repository).href) as { devices: Table };
  return devices;
}

/** Names of the devices that may be absent from a machine. */
export async function probed(): Promise<readonly string[]> {
  return Object.entries(await table()).filter(([, { probe }]) => probe !== undefined).map(([name]) => name);
}

/** Asks a device what it is, in a process of its own: a driver that crashes is an answer. */
export async function probe(name: string): Promise<Probe> {
  const entry = (await table())[name]?.probe;
  if (entry === undefined) throw new UsageError(`Cannot probe device "${name}": nothing is known about it`);
  const script = new URL(PROVIDERS + entry, repository).href;
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", script], stderr: "piped" });
  const { stdout, stderr, signal } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim().split("\n");
  try {
    return JSON.parse(text(stdout).at(-1)!) as Probe;
  } catch {
    // deno-lint-ignore no-control-regex
    const reason = (text(stderr)[0] ?? "").replaceAll(/\x1b\[[\d;]*m/g, "").replace(/^error: /, "");
    const detail = `its probe ended early (${signal ?? reason})`;
    return {
      checks: [{
        name,
        ok: false,
        detail,
        mend: "run deno task setup:cuda, update the GPU's driver, or use --device cpu",
      }],
    };
  }
}

const asked = new Map<string, Promise<PlannedDevice>>();

function ask(name: string, entry: string): Promise<PlannedDevice> {
  if (!asked.has(name)) {
    asked.set(
      name,
      probe(name).then(({ checks, fingerprint }) => {
        if (fingerprint !== undefined) return { name, entry, fingerprint };
        const bad = checks.find(({ ok }) => !ok);
        const reason = bad
          ? `${bad.detail}; ${bad.mend ?? "deno task exp doctor gpu"}`
          : "its probe says nothing";
        return { name, entry, missing: `Cannot use --device ${name}: ${reason}` };
      }),
    );
  }
  return asked.get(name)!;
}

/**
 * A plan on a device: its stages that run programs know it. "auto" takes the last of the engine's table that can be used.
 *
 * @throws {UsageError} when there is no such device
 */
export async function onDevice(plan: Plan, graph: ModuleGraph): Promise<Plan> {
  const { device: wanted = "cpu", ...request } = plan.request;
  if (wanted === "cpu") return { ...plan, request };
  const known = await table();
  if (wanted !== "auto" && !Object.hasOwn(known, wanted)) {
    const names = [...Object.keys(known), "auto"].join(", ");
    throw new UsageError(`Cannot use --device ${wanted}: it must be one of ${names}`);
  }
  let chosen: PlannedDevice | undefined;
  for (const [name, { provider, probe }] of Object.entries(known).reverse()) {
    if (probe === undefined || (wanted !== "auto" && name !== wanted)) continue;
    const found = await ask(name, `${PROVIDERS}${provider}/provider.ts`);
    if (wanted === "auto" && found.missing !== undefined) continue;
    chosen = found;
    break;
  }
  if (!chosen) return { ...plan, request };
  const device = chosen;
  await graph.add([device.entry]);
  const runsPrograms = ({ entry }: PlannedStage) => ENGINE in graph.reach(entry).modules;
  const stages = plan.stages.map((stage) => runsPrograms(stage) ? { ...stage, device } : stage);
  return { ...plan, request: { ...request, device: device.name }, stages };
}
