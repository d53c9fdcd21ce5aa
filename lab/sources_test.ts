import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { Writer } from "./durable.ts";
import { moduleDigest } from "./module_graph.ts";
import { fsck } from "./fsck.ts";
import { stageKey } from "./key.ts";
import { Sources } from "./sources.ts";
import { Store } from "./store.ts";

const encode = (text: string) => new TextEncoder().encode(text);

async function checkout() {
  const folder = await Deno.makeTempDir();
  const root = new URL(`${pathToFileURL(folder).href}/`);
  const sources = new Sources(`${folder}/store`);
  const writer = Writer.open(`${folder}/store`);
  const save = (path: string, text: string) => {
    Deno.writeTextFileSync(new URL(path, root), text);
    return moduleDigest(path, encode(text))!;
  };
  const close = () => {
    writer[Symbol.dispose]();
    Deno.removeSync(folder, { recursive: true });
  };
  return { folder, root, sources, writer, save, [Symbol.dispose]: close };
}

Deno.test("Sources gives the text of a module that has changed since", async () => {
  using t = await checkout();
  const before = t.save("a.ts", "export const tau = 1; // one\n");
  t.sources.keep({ "a.ts": before }, t.writer, t.root);
  const after = t.save("a.ts", "export const tau = 2;\n");
  assert.notEqual(after, before);
  assert.equal(t.sources.read("a.ts", before, t.root), "export const tau = 1; // one\n");
  assert.equal(t.sources.read("a.ts", after, t.root), "export const tau = 2;\n", "from the checkout");
  assert.deepEqual(t.sources.list(), [before]);
});

Deno.test("Sources keeps nothing under a digest that the file no longer has, and no binary file", async () => {
  using t = await checkout();
  const before = t.save("a.ts", "export const tau = 1;\n");
  t.save("a.ts", "export const tau = 2;\n");
  t.sources.keep({ "a.ts": before, "b.bin": t.save("b.bin", "\0") }, t.writer, t.root);
  assert.deepEqual(t.sources.list(), []);
  assert.equal(t.sources.read("a.ts", before, t.root), undefined);
});

Deno.test("Sources does not give a stored text that was changed", async () => {
  using t = await checkout();
  const digest = t.save("a.json", "1");
  t.sources.keep({ "a.json": digest }, t.writer, t.root);
  Deno.chmodSync(t.sources.path(digest), 0o644);
  Deno.writeTextFileSync(t.sources.path(digest), "2");
  t.save("a.json", "3");
  assert.equal(t.sources.stored("a.json", digest), undefined);
  assert.equal(t.sources.read("a.json", digest, t.root), undefined);
});

Deno.test("fsck() moves a damaged text aside", async () => {
  using t = await checkout();
  const digest = t.save("a.ts", "export const tau = 1;\n");
  using store = Store.open(`${t.folder}/store`);
  const code = { modules: { "a.ts": digest }, packages: {} };
  const key = stageKey({ entry: "a.ts", code, parameters: {}, inputs: {}, outputs: {}, seed: 0 });
  const machine = { host: "", cores: 1, memory: 1, os: "" };
  const rest = {
    outputs: {},
    seconds: 0,
    budget: { environmentSteps: 0, gradientSteps: 0 },
    created: "",
    machine,
  };
  store.commit(
    key,
    { key: key.key, entry: "a.ts", name: "a", experiment: "a", seed: 0, ...rest },
    encode(""),
  );
  t.sources.keep(code.modules, t.writer, t.root);
  assert.deepEqual(fsck(store).damage, []);
  Deno.chmodSync(t.sources.path(digest), 0o644);
  Deno.writeTextFileSync(t.sources.path(digest), "export const tau = 3;\n");
  assert.deepEqual(fsck(store).damage.map(({ kind, problem }) => [kind, problem]), [["source", "damaged"]]);
  assert.deepEqual(t.sources.list(), []);
});
