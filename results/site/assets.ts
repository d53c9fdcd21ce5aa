/**
 * What pages load: our own modules, those of the tabletop for the replay, and three packages, by an exact list. Pages
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

/** Every file a page may load, by its path in the repository. */
export const ASSETS: readonly string[] = [
  ...["style.css", "icon.svg", "charts.js", "episodes.js", "live.js", "scene.js", "series.js"].map((n) =>
    CLIENT + n
  ),
  ...["simulation.js", "simulation_worker.js", "mujoco.js", "sha256.js"].map((n) => CLIENT + n),
  ...["environment", "flat_step", "mujoco", "operational_space", "rotation", "tabletop", "tabletop_model"]
    .map((name) => `envs/${name}.ts`),
  ...["tabletop_states", "tabletop_success", "tabletop_tasks"].map((name) => `envs/${name}.ts`),
  "random.ts",
  "ndarray.ts",
  `${MUJOCO}mujoco.js`,
  `${MUJOCO}mujoco.wasm`,
  `${THREE}build/three.module.js`,
  `${THREE}build/three.core.js`,
  `${THREE}examples/jsm/controls/OrbitControls.js`,
  "node_modules/uplot/dist/uPlot.esm.js",
  "node_modules/uplot/dist/uPlot.min.css",
];

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

const cache = new Map<string, Asset & { readonly modified: number }>();

/** An asset by its path in the repository; undefined for all that is not on the list. */
export async function asset(path: string): Promise<Asset | undefined> {
  if (!ASSETS.includes(path)) return undefined;
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
  const bytes = ending === "js" || ending === "ts" ? new TextEncoder().encode(await script(path, raw)) : raw;
  const etag = `"${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}"`;
  const made = { bytes, type: TYPES[ending]!, etag, modified };
  cache.set(path, made);
  return made;
}

/** The module as browsers take it. */
function script(path: string, raw: Uint8Array): string {
  const text = new TextDecoder().decode(raw);
  const plain = path.endsWith(".ts") ? stripTypeScriptTypes(text, { mode: "transform" }) : text;
  // Source maps would be asked for from the machine's own addresses.
  return plain.replace(/^\/\/# sourceMappingURL=.*$/gm, "")
    .replace(/(\bfrom\s*|\bimport\s*)(["'])([^"'\n]+)\2/g, (all, keyword, _, name) => {
      return Object.hasOwn(PACKAGES, name) ? `${keyword}"/modules/${PACKAGES[name]}"` : all;
    });
}
