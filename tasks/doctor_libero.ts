/** `exp doctor libero`: whether the real LIBERO runs here, is the one of published numbers, and can be solved. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Task } from "../envs/environment.ts";
import { LiberoExpert } from "../envs/libero_expert.ts";
import { type Installation, libero, packageVersions, type Places, places } from "../envs/libero_install.ts";
import { LiberoPool, workerCommand } from "../envs/libero_pool.ts";
import { protocols } from "../envs/libero_protocols.ts";
import { assertDemonstrable, readScene } from "../envs/libero_scene.ts";
import { liberoTasks } from "../envs/libero_tasks.ts";
import { firstLine } from "../lab/errors.ts";
import { stream } from "../random.ts";
import type { Check } from "./doctor.ts";

/** Versions that give the published numbers, and what happens outside of them. */
const pins = [
  [
    "mujoco",
    "3.2.3",
    "3.3.2",
    "3.3.3 draws darker floors, with 3.4.0 the bowl of libero_spatial's task 5 slides",
  ],
  ["robosuite", "1.4.0", "1.4.99", "1.5 has other controllers and not the classes that LIBERO extends"],
  ["hf-libero", "0.1.3", "0.1.99", "other releases lay out their files differently"],
  ["numpy", "1.26.0", "2.2.99", "what mujoco and robosuite of these versions were built for"],
] as const;

const setup = "deno task setup:libero";
/** Loading the simulator on a slow disk, or settling ten tasks on a busy machine. */
const probeMs = 300_000;

/** All checks; those that need what is missing are left out. */
export async function liberoChecks(where: Places = places()): Promise<Check[]> {
  let installation: Installation;
  try {
    installation = libero(where);
  } catch (error) {
    return [{ name: "installation", ok: false, detail: firstLine(error), mend: setup }];
  }
  const { python, root } = installation;
  const checks = [...versions(python), config(where), ...assets(installation)];
  const probe = probing(where, python);
  checks.push(
    await probe("interpreter", ["versions"], ({ versions }) => `${python}, Python ${versions.python}`, setup),
  );
  // Images need it; state-based runs do not.
  checks.push(
    await probe("renderer", ["renderer"], ({ renderer }) => `${renderer} draws the cameras`, libraries),
  );
  const suite = suitesOf(root).find((name) => name === "libero_spatial") ?? suitesOf(root)[0];
  if (!suite || !checks.every(({ ok, name }) => ok || name === "renderer")) return checks;

  const of = ["--root", root, "--suite", suite];
  checks.push(await probe("settle", ["settle", ...of], settled, setup));
  checks.push(
    await probe("first frame", ["golden", ...of], ({ compared }) => `${suite}: ${compared} as stored`, setup),
  );
  checks.push(await episode(installation, suite));
  return checks;
}

const libraries = "apt install libosmesa6 libegl1 libgl1 libopengl0 (Debian, Ubuntu)";

/** What the probes of python/libero_worker print. */
interface Answer {
  readonly ok: boolean;
  readonly fault: string | null;
  readonly versions: Record<string, string>;
  readonly renderer: string;
  readonly compared: string;
  readonly tasks: readonly { readonly task: string; readonly object: string; readonly speed: number }[];
}

function settled({ tasks }: Answer): string {
  const fastest = tasks.reduce((a, b) => a.speed > b.speed ? a : b);
  const speed = (metres: number) => `${(metres * 1000).toFixed(2)} mm/s`;
  // Counted from 0 as in LIBERO's own list: the one that newer versions of MuJoCo break.
  const ramekin = tasks.find(({ task }) => task.includes("on_the_ramekin"));
  const named = ramekin ? `; the bowl of task 5 at ${speed(ramekin.speed)}` : "";
  return `objects of ${tasks.length} tasks rest, the fastest at ${speed(fastest.speed)}${named}`;
}

function versions(python: string): Check[] {
  const installed = packageVersions(python);
  return pins.map(([name, low, high, reason]) => {
    const version = installed[name];
    const wanted = `${low} ... ${high.replace(".99", ".x")} is needed`;
    if (!version) return { name, ok: false, detail: `missing, ${wanted}`, mend: setup };
    const ok = compare(version, low) >= 0 && compare(version, high) <= 0;
    return { name, ok, detail: `${version}, ${wanted}: ${reason}`, mend: setup };
  });
}

/** Below 0 where `a` is the earlier version. */
function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (left![i] ?? 0) - (right![i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function config({ user, variables }: Places): Check {
  const path = join(variables.LIBERO_CONFIG_PATH ?? join(user, ".libero"), "config.yaml");
  const own = "each worker writes its own, so that LIBERO asks nothing";
  if (!existsSync(path)) return { name: "config", ok: true, detail: own };
  const named = [...readFileSync(path, "utf8").matchAll(/^\w+:\s*(\S.*)$/gm)].map(([, folder]) => folder!);
  const gone = named.filter((folder) => !existsSync(folder));
  const stale = gone.length > 0 ? ` (${gone.length} of its folders do not exist)` : "";
  return { name: "config", ok: true, detail: `${own}; ${path} is left alone${stale}` };
}

function assets({ root, assets }: Installation): Check[] {
  const { digest, standIns } = assets;
  const kind = standIns.length === 0
    ? "originals as far as known"
    : `${standIns.length} visual stand-ins, so images differ from published ones (${standIns[0]} ...)`;
  const suites = suitesOf(root);
  return [{
    name: "assets",
    ok: suites.length > 0,
    detail: `${root}, ${suites.join(" ") || "no suite"}, sha256 ${digest.slice(0, 12)}, ${kind}`,
    mend: "set LIBERO_ASSETS to a LIBERO checkout",
  }];
}

const suitesOf = (root: string): string[] =>
  ["bddl_files", "init_files"].map((part) => readdirSync(join(root, part)))
    .reduce((some, others) => some.filter((name) => others.includes(name)))
    .filter((name) => existsSync(join(root, "bddl_files", name, ".")))
    .sort();

function probing({ worker, variables }: Places, python: string) {
  return async (
    name: string,
    args: string[],
    say: (answer: Answer) => string,
    mend: string,
  ): Promise<Check> => {
    const env = Object.fromEntries(
      Object.entries(variables).flatMap(([k, v]) => v === undefined ? [] : [[k, v]]),
    );
    const { stdout, stderr, signal } = await new Deno.Command(python, {
      args: ["-m", "libero_worker.probe", ...args],
      env: { ...env, PYTHONPATH: join(worker, ".."), PYTHONNOUSERSITE: "1", PYTHONDONTWRITEBYTECODE: "1" },
      stdin: "null",
      signal: AbortSignal.timeout(probeMs),
    }).output();
    const lines = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim().split("\n");
    try {
      const answer = JSON.parse(lines(stdout).at(-1)!) as Answer;
      if (answer.ok) return { name, ok: true, detail: say(answer) };
      return { name, ok: false, detail: answer.fault ?? "failed", mend };
    } catch {
      const reason = signal ? `ended by ${signal} or after ${probeMs / 1000} s` : lines(stderr).at(-1);
      return { name, ok: false, detail: `its check gave no answer: ${reason || "its process ended"}`, mend };
    }
  };
}

/** The scripted expert in the first task it knows how to do: the whole way from observations to success. */
async function episode({ python, root }: Installation, suite: string): Promise<Check> {
  const name = "episode", protocol = protocols.ours;
  try {
    const tasks = liberoTasks(root, suite, protocol);
    const task = [...tasks.values()].find((task) => demonstrable(task, root));
    if (!task) return { name, ok: true, detail: `no task of ${suite} that the scripted expert can do` };
    await using pool = await LiberoPool.open({
      suite,
      tasks,
      root,
      command: workerCommand(python),
      protocol,
      cameras: [],
      lanes: 1,
      workers: 1,
    });
    const expert = new LiberoExpert(task, readScene(root, task), stream(0, "doctor"), { noise: false });
    let seen = await pool.reset(0, task.name, { split: "evaluation", index: 0 });
    for (let steps = 1;; steps++) {
      const [step] = await pool.step([Float32Array.from(expert.act(seen))]);
      seen = step!.observation;
      const detail = `${task.name}, evaluation state 0`;
      if (step!.terminated) {
        return { name, ok: true, detail: `${detail}: the scripted expert took ${steps} steps` };
      }
      if (step!.truncated) {
        return { name, ok: false, detail: `${detail}: no success in ${steps} steps`, mend: setup };
      }
    }
  } catch (error) {
    return { name, ok: false, detail: firstLine(error), mend: setup };
  }
}

function demonstrable(task: Task, root: string): boolean {
  try {
    assertDemonstrable(task, readScene(root, task));
    return true;
  } catch {
    return false;
  }
}
