/** Fetches LIBERO's meshes and textures from the hub: the data set that hf-libero would fetch, at a pinned revision. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { firstLine } from "../lab/errors.ts";

const dataset = "lerobot/libero-assets";
/** hf-libero 0.1.4's data as of 2026-11: 586 files, 422 MB. */
const revision = "0b3ea86be5fe169d0fd036ae63d1070ec09e90f6";
/** Requests under way at once. */
const lanes = 8;

interface Item {
  readonly type: "file" | "directory";
  readonly path: string;
  readonly size: number;
  /** Git's name of the content: SHA-1 of "blob SIZE\0" and the bytes. */
  readonly oid: string;
  /** Large files stand elsewhere: the SHA-256 of the content. */
  readonly lfs?: { readonly oid: string };
}

/**
 * Fetches what is not there yet and checks every file against the hub's digest. Returns `folder`.
 *
 * @throws {Error} when the hub is not reached or a file is not the one that was listed
 */
export async function downloadAssets(
  folder: string,
  variables: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
): Promise<string> {
  const hub = (variables.HF_ENDPOINT ?? "https://huggingface.co").replace(/\/$/, "");
  const files = await list(`${hub}/api/datasets/${dataset}/tree/${revision}?recursive=true&limit=1000`);
  const missing = files.filter((item) => !present(folder, item));
  const bytes = missing.reduce((sum, { size }) => sum + size, 0);
  say(`assets: ${files.length} files, ${missing.length} to fetch (${Math.ceil(bytes / 1e6)} MB)`);
  const queue = missing[Symbol.iterator]();
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (const item of queue) {
      const path = item.path.split("/").map(encodeURIComponent).join("/");
      const url = `${hub}/datasets/${dataset}/resolve/${revision}/${path}`;
      const content = new Uint8Array(await (await get(url)).arrayBuffer());
      if (!matches(item, content)) throw new Error(`Cannot use ${url}: its content is not the listed one`);
      const target = join(folder, item.path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(`${target}.tmp`, content);
      renameSync(`${target}.tmp`, target);
    }
  }));
  return folder;
}

async function list(first: string): Promise<Item[]> {
  const items: Item[] = [];
  for (let url: string | undefined = first; url;) {
    const answer: Response = await get(url);
    items.push(...await answer.json() as Item[]);
    url = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  // A path that leaves the folder is no asset.
  return items.filter(({ type, path }) =>
    type === "file" && !path.split("/").includes("..") && !path.startsWith(".")
  );
}

async function get(url: string): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(120_000) });
  } catch (error) {
    throw new Error(
      `Cannot fetch LIBERO's assets from ${new URL(url).host}: ${firstLine(error)}; set LIBERO_ASSETS`,
    );
  }
  if (answer.ok) return answer;
  await answer.body?.cancel();
  throw new Error(`Cannot fetch ${url}: the hub answered ${answer.status}`);
}

const present = (folder: string, item: Item): boolean => {
  const path = join(folder, item.path);
  return existsSync(path) && statSync(path).size === item.size && matches(item, readFileSync(path));
};

const matches = (item: Item, content: Uint8Array): boolean =>
  item.lfs
    ? createHash("sha256").update(content).digest("hex") === item.lfs.oid
    : createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex") === item.oid;
