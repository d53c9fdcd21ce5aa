/**
 * Puts a file into the store as an object and prints its digest, by which experiments name it: weights made elsewhere.
 *
 *     deno task put weights FILE [--store DIR]
 */
import { parseArgs } from "node:util";
import { decodeSafetensors } from "../data/safetensors.ts";
import { Store } from "../lab/store.ts";

/** How the bytes of a kind are looked at before they are taken. */
const readers: Readonly<Record<string, (bytes: Uint8Array) => string>> = {
  weights: (bytes) => {
    const { tensors } = decodeSafetensors(bytes);
    const numbers = Object.values(tensors).reduce((n, { data }) => n + data.length, 0);
    return `${Object.keys(tensors).length} tensors of ${numbers} numbers`;
  },
};

/** Runs the command; its exit code. */
export function put(args: readonly string[]): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { store: { type: "string" } },
  });
  const [kind, path] = positionals, read = readers[kind ?? ""];
  if (!read || path === undefined || positionals.length > 2) {
    console.error(`Usage: deno task put ${Object.keys(readers).join("|")} FILE [--store DIR]`);
    return 2;
  }
  try {
    const bytes = Deno.readFileSync(path), what = read(bytes);
    using store = Store.open(values.store ?? Deno.env.get("UPLIFT_STORE") ?? ".uplift");
    const { digest } = store.objects.put(bytes, store.writer);
    console.error(`${path}: ${what}`);
    console.log(digest);
    return 0;
  } catch (error) {
    console.error(`Cannot put ${path}: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(put(Deno.args));
