/** What every verb shares: the store, the experiments, and how a run is stopped. */
import { Catalog } from "../lab/catalog.ts";
import type { Json } from "../lab/canonical.ts";
import { UsageError } from "../lab/errors.ts";
import type { Request } from "../lab/overrides.ts";
import { Store } from "../lab/store.ts";

/** Options of the whole command. */
export interface GlobalOptions {
  readonly store?: string | undefined;
  readonly experiments?: string | undefined;
  readonly json?: true | undefined;
}

/** Options that choose what is asked of an experiment; the same on `run`, `show`, `why` and `verify`. */
export interface RequestOptions {
  readonly seed?: string | undefined;
  readonly preset?: string | undefined;
  readonly set?: readonly string[] | undefined;
  readonly params?: string | undefined;
  readonly device?: string | undefined;
}

/** An open store and the experiments at hand. */
export interface Session extends Disposable {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly json: boolean;
}

/** Opens the store (--store, UPLIFT_STORE or .uplift) and the experiments' folder. */
export function openSession(options: GlobalOptions): Session {
  const path = options.store ?? Deno.env.get("UPLIFT_STORE") ?? ".uplift";
  if (path === "") throw new UsageError("Cannot open a store without a path: give --store a folder");
  const store = Store.open(path, (line) => console.error(line));
  const catalog = new Catalog(options.experiments);
  return { store, catalog, json: options.json === true, [Symbol.dispose]: () => store[Symbol.dispose]() };
}

/**
 * The requests behind the options, one a seed.
 *
 * @throws {UsageError} when a seed is not a non-negative integer or the parameter file cannot be read
 */
export async function requests(options: RequestOptions): Promise<Request[]> {
  const params = options.params === undefined ? {} : { params: await readParams(options.params) };
  const preset = options.preset === undefined ? {} : { preset: options.preset };
  // Left out, so that a request for the CPU is the same as one that does not say.
  const device = options.device === undefined || options.device === "cpu" ? {} : { device: options.device };
  const request = { set: options.set ?? [], ...params, ...preset, ...device };
  if (options.seed === undefined) return [request];
  return [...new Set(options.seed.split(","))].map((text) => {
    const seed = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
    if (!Number.isSafeInteger(seed)) {
      throw new UsageError(`Cannot use seed ${text}: seeds are non-negative integers, joined by commas`);
    }
    return { ...request, seed };
  });
}

/** The one request behind the options, for verbs that look at one seed. */
export async function oneRequest(options: RequestOptions): Promise<Request> {
  const all = await requests(options);
  if (all.length > 1) throw new UsageError("Cannot take several seeds here: name one");
  return all[0]!;
}

async function readParams(path: string): Promise<Json> {
  try {
    const { parse } = await import("@std/yaml");
    return (parse(await Deno.readTextFile(path)) ?? {}) as Json;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    throw new UsageError(`Cannot read parameters from ${path}: ${reason}`);
  }
}
