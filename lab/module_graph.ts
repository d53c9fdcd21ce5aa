/**
 * Which modules and packages a stage's code reaches. `deno info --json` knows the imports; files reached as
 * `new URL("./x.ts", import.meta.url)` (workers, scenes, scripts) are found in the tokens.
 */
import { sha256 } from "./canonical.ts";
import { firstLine } from "./errors.ts";
import { tokens } from "./tokens.ts";

/** The code behind one entry module. */
export interface Code {
  /** Digest of each module by repository-relative path: its tokens, or its bytes where it is not a script. */
  readonly modules: Readonly<Record<string, string>>;
  /** Integrity of each package reached, transitively, by its identity in deno.lock ("zod@4.6.7"). */
  readonly packages: Readonly<Record<string, string>>;
}

interface Module {
  readonly digest: string;
  readonly edges: readonly string[];
  readonly packages: readonly string[];
}

interface GraphDocument {
  readonly modules: readonly {
    readonly specifier: string;
    readonly local?: string;
    readonly error?: string;
    readonly npmPackage?: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string; readonly error?: string };
    }[];
  }[];
  readonly npmPackages: Readonly<Record<string, { readonly dependencies: readonly string[] }>>;
}

/** Root of the repository this lab belongs to, with a trailing slash. Keys hold paths relative to it. */
export const repository: URL = new URL("../", import.meta.url);

const SCRIPT = /\.(ts|mts|js|mjs)$/;

/** The modules reachable by value from some entries. Reads sources and deno.lock once; never runs them. */
export class ModuleGraph {
  readonly #root: URL;
  readonly #modules = new Map<string, Module>();
  readonly #packages = new Map<string, readonly string[]>();
  #integrity: Record<string, { integrity?: string }> = {};

  private constructor(root: URL) {
    this.#root = root;
  }

  /**
   * Reads the modules that the entries reach, and the packages' integrity.
   *
   * @param entries repository-relative paths of entry modules
   * @throws {Error} when a module is missing, cannot be read, or lies outside the repository
   */
  static async read(entries: readonly string[], root: URL = repository): Promise<ModuleGraph> {
    const graph = new ModuleGraph(root);
    graph.#integrity = JSON.parse(await Deno.readTextFile(new URL("deno.lock", root))).npm ?? {};
    await graph.add(entries);
    return graph;
  }

  /**
   * Reads what further entries reach.
   *
   * @throws {Error} as `read` does
   */
  async add(entries: readonly string[]): Promise<void> {
    let wanted = entries.filter((path) => !this.#modules.has(path));
    while (wanted.length > 0) {
      const found: string[] = [];
      const documents = await Promise.all(
        wanted.map((path) => SCRIPT.test(path) ? inspect(new URL(path, this.#root)) : null),
      );
      for (const [i, path] of wanted.entries()) found.push(...await this.#add(path, documents[i]!));
      wanted = [...new Set(found)].filter((path) => !this.#modules.has(path));
    }
  }

  /**
   * All code that `entry`, and `others` with it, reach by value imports, themselves included.
   *
   * @throws {Error} when an entry was not read, or a package has no integrity in deno.lock
   */
  reach(entry: string, ...others: readonly string[]): Code {
    const modules: Record<string, string> = {};
    const roots = new Set<string>();
    const pending = [entry, ...others];
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      if (path in modules) continue;
      const module = this.#modules.get(path);
      if (!module) throw new Error(`Cannot key ${entry}: ${path} is not in the module graph`);
      modules[path] = module.digest;
      for (const name of module.packages) roots.add(name);
      pending.push(...module.edges);
    }
    return { modules, packages: this.#transitive(roots) };
  }

  #transitive(roots: Iterable<string>): Record<string, string> {
    const reached: Record<string, string> = {};
    const pending = [...roots];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (id in reached) continue;
      const integrity = this.#integrity[id]?.integrity;
      if (!integrity) throw new Error(`Cannot key package ${id}: deno.lock has no integrity for it`);
      reached[id] = integrity;
      pending.push(...this.#packages.get(id) ?? []);
    }
    return reached;
  }

  /** Reads what `path` imports, transitively; returns the files that tokens name and the graph may still lack. */
  async #add(path: string, document: GraphDocument | null): Promise<string[]> {
    if (this.#modules.has(path)) return [];
    if (!document) {
      this.#modules.set(path, { digest: await contents(new URL(path, this.#root)), edges: [], packages: [] });
      return [];
    }
    for (const [id, { dependencies }] of Object.entries(document.npmPackages)) {
      this.#packages.set(id, dependencies);
    }
    const npm = new Map(
      document.modules.flatMap((m) => m.npmPackage ? [[npmName(m.specifier), m.npmPackage]] : []),
    );
    const found: string[] = [];
    for (const module of document.modules) {
      if (module.error) throw new Error(`Cannot key ${path}: ${firstLine(module.error)}`);
      if (!module.specifier.startsWith("file:") || this.#modules.has(this.#path(module.specifier))) continue;
      const edges: string[] = [];
      const packages: string[] = [];
      for (const { code } of module.dependencies ?? []) {
        if (code?.error) {
          throw new Error(`Cannot key ${this.#path(module.specifier)}: ${firstLine(code.error)}`);
        }
        if (code?.specifier?.startsWith("file:")) edges.push(this.#path(code.specifier));
        else if (code?.specifier?.startsWith("npm:")) {
          const id = npm.get(npmName(code.specifier));
          if (!id) {
            throw new Error(`Cannot key ${path}: ${code.specifier} is not installed, run deno install`);
          }
          packages.push(id);
        }
      }
      const url = new URL(module.specifier);
      let digest: string;
      if (SCRIPT.test(url.pathname)) {
        const read = this.#tokens(url, await Deno.readTextFile(url));
        const files = await this.#namedFiles(url, read);
        edges.push(...files);
        found.push(...files);
        digest = tokenDigest(read);
      } else digest = await contents(url);
      this.#modules.set(this.#path(module.specifier), { digest, edges, packages });
    }
    return found;
  }

  #tokens(url: URL, source: string): string[] {
    try {
      return tokens(source);
    } catch (error) {
      throw new Error(`Cannot key ${this.#path(url.href)}: ${firstLine(error)}`);
    }
  }

  /** Files named by the literal pattern `new URL("...", import.meta.url)`; a folder stands for all files in it. */
  async #namedFiles(module: URL, all: readonly string[]): Promise<string[]> {
    const files: string[] = [];
    for (let i = 0; i + 9 < all.length; i++) {
      if (all[i] !== "URL" || all[i - 1] !== "new" || !/^["']/.test(all[i + 2]!)) continue;
      if (all.slice(i + 3, i + 9).join("") !== ",import.meta.url") continue;
      const url = new URL(all[i + 2]!.slice(1, -1), module);
      // A parent folder is the way to the repository, not a file the module is made of.
      if (url.protocol !== "file:" || module.href.startsWith(url.href.replace(/\/?$/, "/"))) continue;
      const stat = await Deno.stat(url).catch(() => undefined);
      if (stat?.isFile) files.push(this.#path(url.href));
      else if (stat?.isDirectory) {
        for (const file of await filesUnder(new URL(url.href.replace(/\/?$/, "/")))) {
          files.push(this.#path(file));
        }
      }
    }
    return files;
  }

  #path(specifier: string): string {
    if (!specifier.startsWith(this.#root.href)) {
      throw new Error(`Cannot key ${specifier}: code of a stage must lie in the repository`);
    }
    return decodeURIComponent(specifier.slice(this.#root.href.length));
  }
}

/**
 * Compares the code behind some entries with what a key was made of: somebody may save a file between planning and loading,
 * and the outcome of the new code must not be stored under the key of the old.
 *
 * @returns what is wrong; undefined when nothing changed
 */
export async function changed(
  entries: readonly [string, ...string[]],
  modules: Code["modules"],
): Promise<string | undefined> {
  const now = (await ModuleGraph.read(entries)).reach(...entries).modules;
  const paths = [...new Set([...Object.keys(modules), ...Object.keys(now)])];
  const first = paths.sort().find((path) => modules[path] !== now[path]);
  return first && `${first} changed after the run was planned, start it again`;
}

/** The digest by which keys know a module: over its tokens, or over its bytes where it is not a script. */
export function moduleDigest(path: string, bytes: Uint8Array): string | undefined {
  if (!SCRIPT.test(path)) return sha256(bytes);
  try {
    return tokenDigest(tokens(text(bytes)));
  } catch {
    return undefined; // a text that cannot be read as a script is no module
  }
}

const tokenDigest = (all: readonly string[]) =>
  sha256(all.map((token) => `${token.length}:${token}`).join(""));

async function inspect(entry: URL): Promise<GraphDocument> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry.href],
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`Cannot read the module graph of ${entry}: ${firstLine(text(stderr))}`);
  return JSON.parse(text(stdout));
}

async function filesUnder(folder: URL): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(encodeURIComponent(entry.name) + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isFile) files.push(url.href);
    else if (entry.isDirectory) files.push(...await filesUnder(url));
  }
  return files.sort();
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const contents = async (url: URL) => sha256(await Deno.readFile(url));
/** "npm:/zod@4.6.7" and "npm:zod@4.6.7" are one package: the first form names the module, the second its import. */
const npmName = (specifier: string) => specifier.replace(/^npm:\/?/, "");
