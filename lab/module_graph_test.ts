import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { ModuleGraph } from "./module_graph.ts";

/** A repository of a few files in a temporary folder; files may be rewritten through `write`. */
async function repository(files: Record<string, string>) {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "uplift-graph-" }));
  const root = new URL(`${pathToFileURL(folder).href}/`);
  const write = async (path: string, text: string) => {
    const url = new URL(path, root);
    await Deno.mkdir(new URL("./", url), { recursive: true });
    await Deno.writeTextFile(url, text);
  };
  await write("deno.lock", '{"version":"5"}');
  for (const [path, text] of Object.entries(files)) await write(path, text);
  return { root, write, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

Deno.test("reach() follows value imports, workers, folders and text, not types", async () => {
  await using repo = await repository({
    "stages/a.ts": `import { b } from "../nn/b.ts"; import type { C } from "../c.ts";
      const worker = () => new Worker(new URL("../envs/worker.ts", import.meta.url), { type: "module" });
      const scenes = new URL("../assets/", import.meta.url), root = new URL("../", import.meta.url);
      export const x: C = b; export const later = () => import("../lazy.ts");`,
    "nn/b.ts": "export const b = 1;",
    "c.ts": "export type C = number;",
    "lazy.ts": "export {};",
    "envs/worker.ts": 'import { d } from "./d.ts"; console.log(d);',
    "envs/d.ts": "export const d = 1;",
    "assets/one.xml": "<a/>",
    "assets/deep/two.xml": "<b/>",
    "unused.ts": "export {};",
  });
  const { modules, packages } = (await ModuleGraph.read(["stages/a.ts"], repo.root)).reach("stages/a.ts");
  assert.deepEqual(Object.keys(modules).sort(), [
    "assets/deep/two.xml",
    "assets/one.xml",
    "envs/d.ts",
    "envs/worker.ts",
    "lazy.ts",
    "nn/b.ts",
    "stages/a.ts",
  ]);
  assert.deepEqual(packages, {});
});

Deno.test("reach() is the same after a comment, another after a constant, in that module alone", async () => {
  await using repo = await repository({
    "a.ts": 'import { b } from "./b.ts";\nexport const a = b;\n',
    "b.ts": "export const b = 1;\n",
  });
  const digests = async () => (await ModuleGraph.read(["a.ts"], repo.root)).reach("a.ts").modules;
  const before = await digests();
  await repo.write("b.ts", "/** Why one. */\nexport const b =\n  1; // one\n");
  assert.deepEqual(await digests(), before);
  await repo.write("b.ts", "export const b = 2;\n");
  const after = await digests();
  assert.equal(after["a.ts"], before["a.ts"]);
  assert.notEqual(after["b.ts"], before["b.ts"]);
});

Deno.test("reach() holds the integrity of packages, with those they need", async () => {
  const graph = await ModuleGraph.read(["lab/canonical.ts", "tasks/exp.ts"]);
  assert.deepEqual(Object.keys(graph.reach("lab/canonical.ts").packages), ["canonicalize@5.1.0"]);
  const { packages } = graph.reach("tasks/exp.ts");
  assert.ok(Object.keys(packages).some((id) => id.startsWith("commander@")), "needed by extra-typings");
  assert.match(Object.values(packages)[0]!, /^sha512-/);
});

Deno.test("read() names a module that is missing or cannot be read", async () => {
  await using repo = await repository({ "a.ts": 'import "./gone.ts";', "b.ts": "const a = `;" });
  await assert.rejects(ModuleGraph.read(["a.ts"], repo.root), /Cannot key a\.ts: Module not found/);
  await assert.rejects(ModuleGraph.read(["b.ts"], repo.root), /Cannot key b\.ts: /);
});
