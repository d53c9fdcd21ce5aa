/** A program of the bridge that a stage runs to its end: its events, its log, its failure in one line, its interruption. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { unpackTar } from "../data/tar.ts";
import type { Artifact, Inputs, Outputs, StageContext } from "../lab/stage.ts";
import { describeEnd } from "../policies/lerobot_diagnosis.ts";
import { bridgeVariables, pythonOf } from "./lerobot_install.ts";
import type { BridgeSettings } from "./lerobot_settings.ts";

/** One event of a program: what it said of itself, as JSON. */
export type Event = Readonly<Record<string, unknown>>;

/** Which program, and where. */
export interface BridgeRun {
  /** Its arguments to Python. */
  readonly args: readonly string[];
  /** Folder it runs in; paths it is given are relative to it, so that none gets into what it writes. */
  readonly folder: string;
  /** How LeRobot is used. */
  readonly lerobot: BridgeSettings;
  /** The interpreter; the bridge's unless a test says another. */
  readonly python?: string;
  /** Hears each event at once. */
  readonly heard: (event: Event) => void;
}

/** What every such stage's context has. */
type Context = Pick<
  StageContext<Inputs, Outputs, unknown>,
  "interrupted" | "interruption" | "log"
>;

const MARK = "@uplift ";
const KEPT_LINES = 40;
/** Milliseconds between two looks at the interruption, and until a program that was asked to end is killed. */
const LOOK = 100, PATIENCE = 5000;

/**
 * Runs a program. Its events are kept in the folder's events.jsonl by itself, over all attempts.
 *
 * @throws {Error} when it fails: what it said, or how it ended, in one line
 * @throws {Error} the stage's interruption, once the program has ended
 */
export async function runBridge(
  context: Context,
  { args, folder, lerobot, python = pythonOf(), heard }: BridgeRun,
): Promise<void> {
  const env = { ...bridgeVariables(lerobot), UPLIFT_EVENTS: eventsFile(folder) };
  context.log(`$ python ${args.join(" ")}`);
  // Its standard input stays open and empty: it ends when this process does.
  const child = new Deno.Command(python, {
    args: ["-u", ...args],
    cwd: folder,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let said: string | undefined;
  let interrupted = false;
  const kept: string[] = [];
  const take = (line: string) => {
    if (line.startsWith(MARK)) {
      const event = JSON.parse(line.slice(MARK.length)) as Event;
      if (typeof event.error === "string") said = event.error;
      heard(event);
    } else if (line.trim() !== "") {
      context.log(line);
      kept.push(line);
      kept.splice(0, kept.length - KEPT_LINES);
    }
  };
  const end = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // it has ended already
    }
  };
  let killer: ReturnType<typeof setTimeout> | undefined;
  const look = setInterval(() => {
    if (interrupted || !context.interrupted()) return;
    interrupted = true;
    end("SIGTERM");
    killer = setTimeout(() => end("SIGKILL"), PATIENCE);
  }, LOOK);
  try {
    const [status] = await Promise.all([child.status, lines(child.stdout, take), lines(child.stderr, take)]);
    if (interrupted) throw context.interruption();
    if (status.success) return;
    if (said !== undefined) throw new Error(said);
    throw new Error(`Lost LeRobot's process: ${describeEnd({ ...status, lines: kept })}`);
  } finally {
    clearInterval(look);
    clearTimeout(killer);
    await child.stdin.close().catch(() => {});
  }
}

/** Where a program keeps its events. */
function eventsFile(folder: string): string {
  return join(folder, "events.jsonl");
}

/**
 * The numbers of all steps, the last word on each: a program that was interrupted may have gone over some of them twice.
 *
 * @param names columns beside `step`
 */
export function stepColumns(folder: string, names: readonly string[]): Record<string, Float64Array> {
  const rows = new Map<number, Event>();
  const text = existsSync(eventsFile(folder)) ? readFileSync(eventsFile(folder), "utf8") : "";
  for (const line of text.split("\n")) {
    if (!line.endsWith("}")) continue; // cut off by a kill
    const event = JSON.parse(line) as Event;
    if (typeof event.step === "number") rows.set(event.step, event);
  }
  const sorted = [...rows.values()].sort((a, b) => Number(a.step) - Number(b.step));
  return Object.fromEntries(
    ["step", ...names].map((name) => [name, Float64Array.from(sorted, (row) => Number(row[name] ?? NaN))]),
  );
}

async function lines(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    // A progress bar goes back to the start of its line: what it wrote last counts.
    const parts = (rest + decoder.decode(bytes, { stream: true })).split(/\r?\n|\r/);
    rest = parts.pop()!;
    parts.forEach(take);
  }
  if (rest) take(rest);
}

/** Puts a stored folder at `folder` unless an earlier attempt did. */
export function place(artifact: Artifact, folder: string): void {
  if (existsSync(folder)) return;
  const aside = `${folder}.${crypto.randomUUID()}`;
  unpackTar(artifact.path, aside);
  Deno.renameSync(aside, folder);
}

/**
 * At most one of a role that may be left out.
 *
 * @throws {Error} when there are more
 */
export function atMostOne(artifacts: readonly Artifact[], role: string): Artifact | undefined {
  if (artifacts.length > 1) {
    throw new Error(`Cannot use ${artifacts.length} objects as ${role}: give one or none`);
  }
  return artifacts[0];
}

/** Where fresh processors of pi0 and pi0.5 look for their tokenizer: a folder of this name is taken before the hub. */
export const TOKENIZER = "google/paligemma-3b-pt-224";
