import assert from "node:assert/strict";
import { join } from "node:path";
import { readCheckpoint, removeCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { names, Writer } from "./durable.ts";
import { StoreError } from "./errors.ts";
import { fsck } from "./fsck.ts";
import { stageKey } from "./key.ts";
import { lockKey } from "./lock.ts";
import type { Plan } from "./plan.ts";
import { seal, unseal } from "./sealed.ts";
import { type Outcome, Store } from "./store.ts";

function temporaryStore() {
  const folder = Deno.makeTempDirSync({ prefix: "uplift-store-" });
  const notes: string[] = [];
  const store = Store.open(folder, (line) => notes.push(line));
  const dispose = () => {
    store[Symbol.dispose]();
    Deno.removeSync(folder, { recursive: true });
  };
  return { store, folder, notes, [Symbol.dispose]: dispose };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const parts = {
  entry: "stages/a.ts",
  code: { modules: {}, packages: {} },
  parameters: {},
  inputs: {},
  seed: 0,
};
const key = stageKey({ ...parts, outputs: { numbers: "document" } });

function outcomeOf(store: Store, text: string): Omit<Outcome, "log"> {
  const blob = store.objects.put(bytes(text), store.writer);
  return {
    key: key.key,
    entry: "stages/a.ts",
    name: "a",
    experiment: "sample",
    seed: 0,
    outputs: { numbers: { ...blob, mediaType: "application/json" } },
    seconds: 1,
    budget: { environmentSteps: 0, gradientSteps: 0 },
    created: "2026-01-01T00:00:00.000Z",
    machine: { host: "", cores: 1, memory: 1, os: "linux" },
  };
}

/** Changes a file in place, as a failing disk would. */
function damage(path: string, change: (contents: Uint8Array<ArrayBuffer>) => Uint8Array): void {
  Deno.chmodSync(path, 0o644);
  Deno.writeFileSync(path, change(Deno.readFileSync(path)));
}

const flip = (contents: Uint8Array<ArrayBuffer>) =>
  contents.with(contents.length >> 1, contents[contents.length >> 1]! ^ 1);
const truncate = (contents: Uint8Array<ArrayBuffer>) => contents.subarray(0, contents.length - 1);

Deno.test("Store gives back what was committed; the first outcome is canonical", () => {
  using t = temporaryStore();
  const first = t.store.commit(key, outcomeOf(t.store, "[1]"), bytes("log"));
  t.store.commit(key, outcomeOf(t.store, "[2]"), bytes("log"));
  assert.deepEqual(t.store.outcome(key.key), first);
  assert.equal(t.store.outcomes(key.key).length, 2);
  assert.equal(t.store.outcome("00".repeat(32)), undefined);
  assert.deepEqual(fsck(t.store).damage, []);
});

Deno.test("Store takes a finished file as it takes bytes: same digest, read-only, gone from its place", () => {
  using t = temporaryStore();
  const { objects, writer } = t.store;
  const path = join(t.folder, "model.tar");
  const large = new Uint8Array(3 << 20).map((_, i) => i);
  for (const already of [false, true]) {
    Deno.writeFileSync(path, large);
    const blob = objects.take(path, writer);
    assert.deepEqual(blob, objects.put(large, writer), `there already: ${already}`);
    assert.equal(objects.check(blob, { thorough: true }), "whole");
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
    if (Deno.build.os !== "windows") assert.equal(Deno.statSync(objects.path(blob.digest)).mode! & 0o222, 0);
  }
});

for (const [name, change] of [["a flipped byte", flip], ["a truncated file", truncate]] as const) {
  Deno.test(`Store finds ${name} in an object on the next read, moves it aside, and takes it again`, () => {
    using t = temporaryStore();
    const { outputs } = t.store.commit(key, outcomeOf(t.store, "[1,2,3]"), bytes(""));
    const { digest } = outputs.numbers!;
    damage(t.store.objects.path(digest), change);
    assert.equal(t.store.outcome(key.key), undefined);
    assert.match(
      t.notes[0]!,
      new RegExp(`Found damaged object ${digest} \\("numbers" of stage "a"\\): moved to .*quarantine`),
    );
    assert.equal(names(join(t.folder, "quarantine")).length, 1);
    t.store.commit(key, outcomeOf(t.store, "[1,2,3]"), bytes(""));
    assert.equal(t.store.outcome(key.key)?.outputs.numbers?.digest, digest);
    assert.deepEqual(fsck(t.store).damage, []);
  });

  Deno.test(`fsck() finds ${name} in any file of the store`, () => {
    const places: [string, (t: ReturnType<typeof temporaryStore>) => string][] = [
      ["object", ({ store }) => store.objects.path(store.outcome(key.key)!.outputs.numbers!.digest)],
      ["outcome", ({ store }) => join(store.outcomeFolder(key.key), "0000.json")],
      ["log", ({ store }) => join(store.outcomeFolder(key.key), "0000.log")],
      ["key", ({ store }) => join(store.outcomeFolder(key.key), "key.json")],
      ["checkpoint", ({ folder }) => join(folder, "checkpoints", "k", "checkpoint")],
    ];
    for (const [kind, place] of places) {
      using t = temporaryStore();
      t.store.commit(key, outcomeOf(t.store, "[1,2,3]"), bytes("some log"));
      const spent = { budget: { environmentSteps: 1, gradientSteps: 2 }, seconds: 3 };
      writeCheckpoint(join(t.folder, "checkpoints", "k"), bytes("state"), spent, t.store.writer);
      damage(place(t), change);
      const found = fsck(t.store).damage;
      assert.deepEqual(found.map((each) => [each.kind, each.problem]), [[kind, "damaged"]], kind);
      assert.ok(found[0]!.quarantined && Deno.statSync(found[0]!.quarantined).isFile);
    }
  });
}

Deno.test("fsck() finds a damage that left size and times as they were", () => {
  using t = temporaryStore();
  const { outputs } = t.store.commit(key, outcomeOf(t.store, "[1,2,3]"), bytes(""));
  const path = t.store.objects.path(outputs.numbers!.digest);
  damage(path, flip);
  t.store.index.setVerified(outputs.numbers!.digest, {
    ...Deno.statSync(path),
    mtime: new Date(0),
    ctime: new Date(0),
  });
  assert.deepEqual(fsck(t.store).damage.map(({ name }) => name), [outputs.numbers!.digest]);
});

Deno.test("Store rebuilds a damaged index from its files", () => {
  const folder = Deno.makeTempDirSync({ prefix: "uplift-store-" });
  {
    using store = Store.open(folder);
    store.commit(key, outcomeOf(store, "[1]"), bytes(""));
  }
  Deno.writeTextFileSync(join(folder, "index.sqlite"), "no database".repeat(999));
  {
    using store = Store.open(folder);
    store.refreshIndex();
    assert.deepEqual(store.index.outcomes().map((row) => row.key), [key.key]);
  }
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("Store makes its folder when something is written, not when it is opened or asked", () => {
  const parent = Deno.makeTempDirSync({ prefix: "uplift-store-" });
  {
    using store = Store.open(join(parent, "store"));
    assert.deepEqual([store.outcome(key.key), store.runs(), store.index.outcomes()], [undefined, [], []]);
    assert.deepEqual(names(parent), []);
    store.commit(key, outcomeOf(store, "[1]"), bytes(""));
    assert.deepEqual(store.index.outcomes().map((row) => row.key), [key.key]);
    assert.ok(names(store.directory).includes("index.sqlite"));
  }
  Deno.removeSync(parent, { recursive: true });
});

Deno.test("a damaged record of a run is noted when runs are read, and named by fsck", () => {
  using t = temporaryStore();
  const record = {
    plan: { definition: "d".repeat(64), seed: 3 } as Plan,
    keys: {},
    result: null,
    created: "",
  };
  t.store.record(record);
  t.store.record({ ...record, plan: { ...record.plan, seed: 4 } });
  const name = `${"d".repeat(64)}-3.json`;
  damage(join(t.folder, "runs", name), truncate);
  assert.deepEqual(t.store.runs().map(({ plan }) => plan.seed), [4]);
  assert.deepEqual(t.notes, [`Found damaged run ${name}: exp fsck moves it aside`]);
  const quarantined = join(t.folder, "quarantine", `run.${name}`);
  assert.deepEqual(fsck(t.store).damage, [
    { kind: "run", name: join("runs", name), problem: "damaged", stages: [], quarantined },
  ]);
  assert.deepEqual(fsck(t.store).damage, []);
});

Deno.test("a checkpoint comes back whole with its budget, or is called damaged", () => {
  using t = temporaryStore();
  const folder = join(t.folder, "checkpoints", "k");
  const spent = { budget: { environmentSteps: 10, gradientSteps: 20 }, seconds: 1.5 };
  assert.equal(readCheckpoint(folder), undefined);
  writeCheckpoint(folder, bytes("old"), spent, t.store.writer);
  writeCheckpoint(folder, bytes("new\nstate"), spent, t.store.writer);
  assert.deepEqual(readCheckpoint(folder), { ...spent, payload: bytes("new\nstate") });
  damage(
    join(folder, "checkpoint"),
    (contents) => bytes(new TextDecoder().decode(contents).replace("10", "11")),
  );
  assert.equal(readCheckpoint(folder), "damaged");
  removeCheckpoint(folder);
  assert.equal(readCheckpoint(folder), undefined);
});

Deno.test("lockKey() lets one in at a time and tells the others whom they wait for", async () => {
  using t = temporaryStore();
  const holder = { pid: 42, experiment: "sample", stage: "a" };
  const interrupted = () => false;
  const order: string[] = [];
  const first = await lockKey(t.folder, "k", holder, { interrupted });
  const second = lockKey(t.folder, "k", { ...holder, pid: 43 }, {
    interrupted,
    waiting: (other) => order.push(`waits for ${other?.pid}`),
  }).then((lock) => {
    order.push("second");
    lock[Symbol.dispose]();
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  order.push("first ends");
  first[Symbol.dispose]();
  await second;
  assert.deepEqual(order, ["waits for 42", "first ends", "second"]);
  using _held = await lockKey(t.folder, "k", holder, { interrupted });
  await assert.rejects(
    lockKey(t.folder, "k", holder, { interrupted: () => true }),
    /Interrupted while waiting/,
  );
});

Deno.test("Writer sweeps what a process left that no longer holds its lock", () => {
  using t = temporaryStore();
  const litter = join(t.folder, "tmp", "dead");
  Deno.mkdirSync(litter, { recursive: true });
  Deno.writeTextFileSync(`${litter}.lock`, "");
  Deno.writeTextFileSync(join(litter, "0"), "half");
  using writer = Writer.open(t.folder);
  using _other = Writer.open(t.folder);
  assert.ok(!names(join(t.folder, "tmp")).includes("dead"));
  writer.write(join(t.folder, "file"), [bytes("whole")]);
  assert.equal(Deno.readTextFileSync(join(t.folder, "file")), "whole");
});

Deno.test("Writer says in one line why it cannot write, and leaves nothing", () => {
  using t = temporaryStore();
  Deno.writeTextFileSync(join(t.folder, "file"), "");
  const { writer } = t.store;
  assert.throws(() => writer.write(join(t.folder, "file", "below"), [bytes("x")]), (error) => {
    assert.ok(error instanceof StoreError);
    assert.match(
      error.message,
      /^Cannot write to the store .*: (part of its path is a file|a file is in its place)$/,
    );
    return true;
  });
  assert.deepEqual(names(writer.directory), []);
});

Deno.test("unseal() refuses a document that was changed", () => {
  const sealed = seal({ a: 1, b: [true, null] });
  assert.deepEqual(unseal(sealed), { a: 1, b: [true, null] });
  assert.equal(unseal(bytes(new TextDecoder().decode(sealed).replace('"a": 1', '"a": 2'))), undefined);
  assert.equal(unseal(sealed.subarray(0, 40)), undefined);
  assert.equal(unseal(bytes("null")), undefined);
});
