/** `exp doctor`: what this machine can run, what is missing, and the command that mends it. */
import { statfsSync } from "node:fs";
import { availableParallelism, freemem, totalmem } from "node:os";
import { firstLine, UsageError } from "../lab/errors.ts";
import { suggestion } from "../lab/nearest.ts";
import { probe as probeDevice, probed } from "../lab/device.ts";
import { liberoChecks } from "./doctor_libero.ts";
import { experimentChecks } from "./doctor_experiment.ts";
import type { RequestOptions, Session } from "./session.ts";
import { size } from "./table.ts";

/** One line of the doctor. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** The command or step that mends it. */
  readonly mend?: string;
}

const DENO_WANTED = [2, 9] as const;
const MEMORY_WANTED = 4 * 2 ** 30;
const SPACE_WANTED = 2 * 2 ** 30;

/** Checks by topic; a run without topics takes "base". */
const topics: Record<string, (session: Session) => Promise<Check[]>> = {
  base,
  libero: () => liberoChecks(),
  gpu: async () => (await Promise.all((await probed()).map(probeDevice))).flatMap(({ checks }) => checks),
};

/** Checks topics, or what experiments need under the given options; prints one line a check and fails when one does. */
export async function doctorCommand(
  names: readonly string[],
  options: RequestOptions,
  session: Session,
): Promise<number> {
  const checks: Check[] = [];
  for (const name of names.length > 0 ? names : ["base"]) {
    const topic = Object.hasOwn(topics, name) ? topics[name] : undefined;
    const known = [...Object.keys(topics), ...session.catalog.names];
    if (topic) checks.push(...await topic(session));
    else if (known.includes(name)) checks.push(...await experimentChecks(name, options, session));
    else throw new UsageError(`Cannot check "${name}"${suggestion(name, known)}`);
  }
  const ok = checks.every((check) => check.ok);
  if (session.json) console.log(JSON.stringify({ ok, checks }, null, 2));
  else {
    for (const { name, ok, detail, mend } of checks) {
      console.log(`${ok ? "ok  " : "MEND"}  ${name}: ${detail}${ok || !mend ? "" : ` -- ${mend}`}`);
    }
  }
  return ok ? 0 : 1;
}

async function base(session: Session): Promise<Check[]> {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  const [wantedMajor, wantedMinor] = DENO_WANTED;
  const { os, arch } = Deno.build;
  return [
    {
      name: "deno",
      ok: major > wantedMajor || (major === wantedMajor && minor >= wantedMinor),
      detail: `${Deno.version.deno}, at least ${DENO_WANTED.join(".")} is needed`,
      mend: "deno upgrade",
    },
    { name: "platform", ok: true, detail: `${os} ${arch}, ${availableParallelism()} cores` },
    {
      name: "memory",
      ok: totalmem() >= MEMORY_WANTED,
      detail: `${size(totalmem())}, ${size(freemem())} free, at least ${size(MEMORY_WANTED)} is needed`,
      mend: "use a machine with more memory",
    },
    ...await Promise.all([
      probe("onnxruntime", "deno install --allow-scripts=npm:onnxruntime-node"),
      probe("mujoco", "deno install"),
    ]),
    store(session),
  ];
}

async function probe(name: string, mend: string): Promise<Check> {
  const script = new URL("./doctor_probe.ts", import.meta.url).href;
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", script, name] });
  const { success, stdout, stderr } = await command.output();
  const lines = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim().split("\n");
  if (success) return { name, ok: true, detail: lines(stdout).at(-1)! };
  // deno-lint-ignore no-control-regex
  const reason = lines(stderr)[0]!.replaceAll(/\x1b\[[\d;]*m/g, "").replace(/^error: /, "");
  return { name, ok: false, detail: `does not load: ${reason || "its process ended"}`, mend };
}

function store({ store }: Session): Check {
  const name = "store";
  try {
    void store.writer;
    const { bavail, bsize } = statfsSync(store.directory);
    const free = bavail * bsize;
    const ok = free >= SPACE_WANTED;
    const detail = `${store.directory} can be written, ${size(free)} free, at least ${
      size(SPACE_WANTED)
    } is needed`;
    return { name, ok, detail, mend: "deno task exp gc, or --store on another disk" };
  } catch (error) {
    return { name, ok: false, detail: firstLine(error), mend: "--store DIR on a disk that can be written" };
  }
}
