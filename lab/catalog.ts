/** The experiments of a folder, and their plans. A plan is kept in the store under the code it came from, so that a
 * repeated command loads neither the experiment nor anything its stages import. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { documentHash, type Json } from "./canonical.ts";
import { names, readIfThere } from "./durable.ts";
import { UsageError } from "./errors.ts";
import { runtime } from "./key.ts";
import { ModuleGraph, repository } from "./module_graph.ts";
import { suggestion } from "./nearest.ts";
import type { Request } from "./overrides.ts";
import type { Plan } from "./plan.ts";
import type { FromPlanWorker } from "./plan_worker.ts";
import { seal, unseal } from "./sealed.ts";
import { onDevice } from "./device.ts";
import { askSimulators } from "./simulator.ts";
import type { Store } from "./store.ts";

/** A plan and the code its keys need. */
export interface Planned {
  /** What is to be run. */
  readonly plan: Plan;
  /** The modules that its stages reach. */
  readonly graph: ModuleGraph;
}

/** Experiment names by their modules' repository-relative paths. */
export class Catalog {
  readonly #paths: ReadonlyMap<string, string>;

  /**
   * Lists the experiments of a folder; loads none.
   *
   * @param path repository-relative folder
   */
  constructor(path = "experiments") {
    const folder = path.replace(/\/*$/, "/");
    const files = names(fileURLToPath(new URL(folder, repository)))
      .filter((file) => /^[a-z0-9_]+\.ts$/.test(file) && !file.endsWith("_test.ts"));
    this.#paths = new Map(files.map((file) => [file.slice(0, -3).replaceAll("_", "-"), folder + file]));
  }

  /** All names, sorted. */
  get names(): string[] {
    return [...this.#paths.keys()];
  }

  /**
   * Plans an experiment under a request. `check` may refuse the plan before anything is written to the store.
   *
   * @throws {UsageError} when the experiment is unknown or the request does not fit it
   */
  async plan(
    name: string,
    request: Request,
    store: Store,
    check: (plan: Plan) => void = () => {},
  ): Promise<Planned> {
    const path = this.#paths.get(name);
    if (path === undefined) {
      throw new UsageError(
        `Cannot find experiment "${name}"${suggestion(name, this.#paths.keys()) || ": there are none"}`,
      );
    }
    if (request.seed !== undefined && (!Number.isSafeInteger(request.seed) || request.seed < 0)) {
      throw new UsageError(`Cannot use seed ${request.seed}: seeds are non-negative integers`);
    }
    const planner = "lab/plan_worker.ts";
    const graph = await ModuleGraph.read([path, planner]);
    const identity = { experiment: graph.reach(path), planner: graph.reach(planner), request, runtime };
    const hash = documentHash(JSON.parse(JSON.stringify(identity)) as Json);
    const file = join(store.directory, "cache", "plans", `${hash}.json`);
    const cached = unseal<Plan>(readIfThere(file) ?? new Uint8Array());
    if (cached) {
      check(cached);
      return { plan: await onDevice(await askSimulators(cached, graph), graph), graph };
    }
    const plan = await load(path, request);
    if (plan.experiment !== name) {
      throw new Error(
        `Cannot load ${path}: its experiment is named "${plan.experiment}", the file says "${name}"`,
      );
    }
    check(plan);
    try {
      store.writer.write(file, [seal(plan)]);
    } catch {
      // A store that cannot be written still answers; it only takes longer.
    }
    return { plan: await onDevice(await askSimulators(plan, graph), graph), graph };
  }
}

async function load(path: string, request: Request): Promise<Plan> {
  const { promise, resolve, reject } = Promise.withResolvers<FromPlanWorker>();
  const url = new URL(path, repository).href;
  const worker = new Worker(new URL("./plan_worker.ts", import.meta.url), { workerData: { url, request } });
  worker.on("message", resolve);
  worker.on("error", reject);
  worker.on("exit", () => reject(new Error("its worker ended")));
  try {
    const answer = await promise;
    if ("plan" in answer) return answer.plan;
    if ("usage" in answer) throw new UsageError(answer.usage);
    throw new Error(`Cannot load ${path}: ${answer.failure}`);
  } finally {
    await worker.terminate();
  }
}
