/**
 * What pages load: our own modules, those of the tabletop for the replay, and three packages, and nothing but what they import. Pages
 * see the repository's layout under /modules/, so relative imports hold; types are taken out and packages' names
 * replaced when a file is first asked for.
 */
import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { repository } from "../../lab/module_graph.ts";

const CLIENT = "results/site/client/";
const MUJOCO = "node_modules/@mujoco/mujoco/";
const THREE = "node_modules/three/";

/** What pages name themselves; all else they may load is what these import. */
const ENTRIES: readonly string[] = [
  ...["style.css", "icon.svg", "charts.js", "episodes.js", "live.js", "simulation_worker.js"].map((n) =>
    CLIENT + n
  ),
  `${MUJOCO}mujoco.wasm`,
  "node_modules/uplot/dist/uPlot.min.css",
];

/** Where what they import may lie. */
const PLACES = [CLIENT, "envs/", "random.ts", "ndarray.ts", MUJOCO, THREE, "node_modules/uplot/dist/"];

/** What stands for a package's name in a page. MuJoCo's is ours, which lets the replay see the simulation's state. */
const PACKAGES: Readonly<Record<string, string>> = {
  "@mujoco/mujoco": `${CLIENT}mujoco.js`,
  "node:crypto": `${CLIENT}sha256.js`,
  "three": `${THREE}build/three.module.js`,
  "three/addons/controls/OrbitControls.js": `${THREE}examples/jsm/controls/OrbitControls.js`,
  "uplot": "node_modules/uplot/dist/uPlot.esm.js",
};

/** The worker's modules, which go out under a policy of their own. */
export const WORKER = `${CLIENT}simulation_worker.js`;

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  js: "text/javascript; charset=utf-8",
  ts: "text/javascript; charset=utf-8",
  wasm: "application/wasm",
};

/** A file as it is sent. */
export interface Asset {
  /** Its bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its media type. */
  readonly type: string;
  /** Its ETag: changes with its bytes. */
  readonly etag: string;
}

interface Cached extends Asset {
  readonly modified: number;
  readonly imports: readonly string[];
}

const cache = new Map<string, Cached>();

/** Every file a page may load, by its path in the repository: the entries, and what they import. */
export async function assets(): Promise<ReadonlySet<string>> {
  const reached = new Set(ENTRIES);
  for (const path of reached) {
    const { imports } = await load(path) ?? { imports: [] };
    for (const each of imports) if (PLACES.some((place) => each.startsWith(place))) reached.add(each);
  }
  return reached;
}

/** An asset by its path in the repository; undefined for all that no page imports. */
export async function asset(path: string): Promise<Asset | undefined> {
  return (await assets()).has(path) ? await load(path) : undefined;
}

async function load(path: string): Promise<Cached | undefined> {
  const file = fileURLToPath(new URL(path, repository));
  let modified: number;
  try {
    modified = (await Deno.stat(file)).mtime?.getTime() ?? 0;
  } catch {
    return undefined;
  }
  const known = cache.get(path);
  if (known?.modified === modified) return known;
  const ending = path.slice(path.lastIndexOf(".") + 1);
  const raw = await Deno.readFile(file);
  const text = ending === "js" || ending === "ts" ? script(path, raw) : undefined;
  const bytes = text === undefined ? raw : new TextEncoder().encode(text);
  const etag = `"${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}"`;
  const made = {
    bytes,
    type: TYPES[ending]!,
    etag,
    modified,
    imports: text === undefined ? [] : imports(path, text),
  };
  cache.set(path, made);
  return made;
}

const IMPORT = /(\bfrom\s*|\bimport\s*)(["'])([^"'\n]+)\2/g;

/** Paths in the repository that a module imports. */
function imports(path: string, text: string): string[] {
  const here = new URL(`/modules/${path}`, "http://page");
  return [...text.matchAll(IMPORT)].map(([, , , name]) => name!).filter((name) => /^[./]/.test(name))
    .map((name) => new URL(name, here).pathname).filter((name) => name.startsWith("/modules/"))
    .map((name) => name.slice("/modules/".length));
}

/** The module as browsers take it. */
function script(path: string, raw: Uint8Array): string {
  const text = new TextDecoder().decode(raw);
  const plain = path.endsWith(".ts") ? stripTypeScriptTypes(text, { mode: "transform" }) : text;
  // Source maps would be asked for from the machine's own addresses.
  return plain.replace(/^\/\/# sourceMappingURL=.*$/gm, "")
    .replace(IMPORT, (all, keyword, _, name) => {
      return Object.hasOwn(PACKAGES, name) ? `${keyword}"/modules/${PACKAGES[name]}"` : all;
    });
}
