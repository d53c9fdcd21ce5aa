import assert from "node:assert/strict";
import { packTar, unpackTar } from "./tar.ts";

function inFolder(test: (folder: string) => void | Promise<void>) {
  return async () => {
    const folder = await Deno.makeTempDir({ prefix: "uplift-tar-" });
    try {
      await test(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  };
}

const long = `${"checkpoint-folder/".repeat(7)}model.safetensors`;
const files: Record<string, string> = {
  "config.json": "{}",
  "meta/info.json": "x".repeat(512),
  "meta/ä.json": "",
  [long]: "y".repeat(1500),
};

function fill(folder: string, names = Object.keys(files)): void {
  for (const name of names) {
    Deno.mkdirSync(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(`${folder}/${name}`, files[name]!);
  }
}

Deno.test(
  "a folder comes back, and equal folders are equal bytes whatever the order of writing",
  inFolder((folder) => {
    fill(`${folder}/a`);
    fill(`${folder}/b`, Object.keys(files).reverse());
    packTar(`${folder}/a`, `${folder}/a.tar`);
    packTar(`${folder}/b`, `${folder}/b.tar`);
    assert.deepEqual(Deno.readFileSync(`${folder}/a.tar`), Deno.readFileSync(`${folder}/b.tar`));
    unpackTar(`${folder}/a.tar`, `${folder}/c`);
    for (const [name, text] of Object.entries(files)) {
      assert.equal(Deno.readTextFileSync(`${folder}/c/${name}`), text);
    }
  }),
);

Deno.test(
  "the system's tar lists and checks it",
  { ignore: Deno.build.os === "windows" },
  inFolder(async (folder) => {
    fill(`${folder}/a`);
    packTar(`${folder}/a`, `${folder}/a.tar`);
    const { stdout, code } = await new Deno.Command("tar", {
      args: ["--quoting-style=literal", "-tf", `${folder}/a.tar`],
    }).output();
    assert.equal(code, 0);
    assert.deepEqual(new TextDecoder().decode(stdout).trim().split("\n"), Object.keys(files).sort());
  }),
);

Deno.test(
  "an archive that is cut off, damaged or leads outside its folder is refused",
  inFolder((folder) => {
    fill(`${folder}/a`, ["config.json"]);
    packTar(`${folder}/a`, `${folder}/a.tar`);
    const whole = Deno.readFileSync(`${folder}/a.tar`);
    const attempts = (bytes: Uint8Array) => () => {
      Deno.writeFileSync(`${folder}/x.tar`, bytes);
      unpackTar(`${folder}/x.tar`, `${folder}/${crypto.randomUUID()}`);
    };
    for (const length of [100, 600, 1100, whole.length - 1]) {
      assert.throws(attempts(whole.subarray(0, length)), /x\.tar: it is cut off$/, `${length}`);
    }
    const damaged = whole.slice();
    damaged[3]! ^= 1;
    assert.throws(attempts(damaged), /it is no tar file$/);
    assert.throws(attempts(renamed(whole, "../out.json")), /it holds "\.\.\/out\.json"$/);
    assert.throws(attempts(renamed(whole, "/out.json")), /it holds "\/out\.json"$/);
    const entry = whole.subarray(0, 1024);
    assert.throws(attempts(new Uint8Array([...entry, ...whole])), /it holds config\.json twice$/);
  }),
);

function renamed(archive: Uint8Array, name: string): Uint8Array {
  const bytes = archive.slice();
  bytes.fill(0, 0, 100);
  bytes.set(new TextEncoder().encode(name));
  bytes.fill(32, 148, 156);
  const sum = bytes.subarray(0, 512).reduce((a, b) => a + b);
  bytes.set(new TextEncoder().encode(sum.toString(8).padStart(6, "0") + "\0 "), 148);
  return bytes;
}
