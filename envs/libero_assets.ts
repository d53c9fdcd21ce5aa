/**
 * Where LIBERO's data lie (meshes, task definitions, fixed initial states), and their digest. A root is a folder with
 * `assets/`, `bddl_files/<suite>/*.bddl` and `init_files/<suite>/*.pruned_init`.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { pid } from "node:process";

const parts = ["assets", "bddl_files", "init_files"] as const;

/** LIBERO's three folders. */
export type Parts = Readonly<Record<typeof parts[number], string>>;

/** What is known of the data in a root. */
export interface AssetsDigest {
  /** SHA-256 over paths and contents of every file in the three folders, hexadecimal. */
  readonly digest: string;
  /** Files of `assets/` that are not LIBERO's own: dynamics are the original ones, pictures are not. */
  readonly standIns: readonly string[];
}

/** Visual stand-ins that are met in the field, by the SHA-256 of the file: a copied archive may lack its README. */
const knownStandIns: ReadonlySet<string> = new Set([
  "b19f5d98f2deb305a62dd9c9ad9a6003d2d74b55f834380fa3c8e70369359c48", // akita_black_bowl: plain texture
  "a3a9fec33494612c72a4f0bdb98b4c20532d3fe9c44701ab8440f7e761441690", // akita_black_bowl: lathed mesh
  "6ed9e4aaeab6bfcf52cd56bff88bc3ae9d2e2ce25bbf11867848823a9e5030d0", // plate: plain texture
]);

/**
 * The root that `folder` is or holds: itself, or `libero/libero` of a LIBERO checkout. Undefined where it is none.
 */
export function rootIn(folder: string): string | undefined {
  return [folder, join(folder, "libero", "libero")].find((root) =>
    parts.every((part) => fs.existsSync(join(root, part)))
  );
}

/** What a folder that should be a root lacks, for a message. */
export function missingParts(folder: string): string {
  return parts.filter((part) => !fs.existsSync(join(folder, part))).map((part) => `${part}/`).join(", ");
}

/**
 * A root of links to three folders that lie apart (hf-libero's package has no meshes), made once in `parent`.
 *
 * @throws {Error} when `parent` cannot be written
 */
export function linkedRoot(parent: string, folders: Parts): string {
  const name = createHash("sha256").update(parts.map((part) => folders[part]).join("\0")).digest("hex");
  const root = join(parent, "roots", name.slice(0, 16));
  if (parts.every((part) => fs.existsSync(join(root, part)))) return root;
  const temporary = `${root}.${pid}.tmp`;
  fs.mkdirSync(temporary, { recursive: true });
  for (const part of parts) fs.symlinkSync(folders[part], join(temporary, part));
  try {
    fs.renameSync(temporary, root);
  } catch (error) {
    if (!fs.existsSync(root)) throw error; // else another process was first
  }
  return root;
}

interface Remembered extends AssetsDigest {
  readonly listing: string;
}

/**
 * Digest of the data in `root`. Contents are read once: as long as no size or time of a file changes, the answer comes
 * from `memory` (a JSON file that may be missing or impossible to write).
 */
export function assetsDigest(root: string, memory: string): AssetsDigest {
  const files = parts.flatMap((part) => filesIn(root, part)).sort();
  const stamps = files.map((path) => {
    const { size, mtimeMs } = fs.statSync(join(root, path));
    return `${path} ${size} ${mtimeMs}`;
  });
  const readme = join(root, "README.md");
  const declared = fs.existsSync(readme) ? fs.readFileSync(readme, "utf8") : "";
  const listing = createHash("sha256").update(`${root}\n${declared}\n${stamps.join("\n")}`).digest("hex");
  const remembered = recall(memory);
  const known = remembered[root];
  if (known?.listing === listing) return { digest: known.digest, standIns: known.standIns };

  const digest = createHash("sha256"), standIns: string[] = [];
  for (const path of files) {
    const content = createHash("sha256").update(fs.readFileSync(join(root, path))).digest("hex");
    digest.update(`${content}  ${path}\n`);
    if (knownStandIns.has(content) || declared.includes(`| ${path} |`)) standIns.push(path);
  }
  const result = { digest: digest.digest("hex"), standIns };
  try {
    fs.writeFileSync(
      `${memory}.${pid}.tmp`,
      JSON.stringify({ ...remembered, [root]: { listing, ...result } }),
    );
    fs.renameSync(`${memory}.${pid}.tmp`, memory);
  } catch {
    // Slower the next time, nothing else.
  }
  return result;
}

function recall(memory: string): Record<string, Remembered> {
  try {
    return JSON.parse(fs.readFileSync(memory, "utf8")) as Record<string, Remembered>;
  } catch {
    return {};
  }
}

function filesIn(root: string, folder: string): string[] {
  return fs.readdirSync(join(root, folder), { withFileTypes: true }).flatMap((item) => {
    const path = `${folder}/${item.name}`;
    if (item.name === "__pycache__" || item.name.startsWith(".")) return [];
    return fs.statSync(join(root, path)).isDirectory() ? filesIn(root, path) : [path];
  });
}
