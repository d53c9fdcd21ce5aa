import assert from "node:assert/strict";
import { join } from "node:path";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { pack, unpack } from "./archive.ts";
import { fileDigest, filesOf } from "./bundle.ts";

const FILES: Record<string, number> = {
  "empty": 0,
  "one/block": 512,
  "one/more": 513,
  [`reports/${"0".repeat(64)}-12/success_over_environment_steps_and_more.svg`]: 70_000,
};

async function packed() {
  const folder = await Deno.makeTempDir();
  for (const [path, size] of Object.entries(FILES)) {
    await Deno.mkdir(join(folder, "in", path, ".."), { recursive: true });
    await Deno.writeFile(join(folder, "in", path), Uint8Array.from({ length: size }, (_, i) => i * 7));
  }
  const archive = join(folder, "in.tar.zst");
  await pack(join(folder, "in"), "root", archive);
  return { folder, archive, [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}

/** Changes the header of the first file and mends its checksum. */
async function forge(archive: string, change: (header: Uint8Array) => void): Promise<void> {
  const tar = zstdDecompressSync(await Deno.readFile(archive));
  const header = tar.subarray(0, 512);
  change(header);
  header.fill(32, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  await Deno.writeFile(archive, zstdCompressSync(tar));
}

Deno.test("unpack() gives back what pack() took, and equal folders are equal archives", async () => {
  using t = await packed();
  const out = join(t.folder, "out");
  await unpack(t.archive, out);
  assert.deepEqual(filesOf(out), filesOf(join(t.folder, "in")));
  for (const path of filesOf(out)) {
    assert.equal(fileDigest(join(out, path)), fileDigest(join(t.folder, "in", path)));
  }
  await pack(out, "root", join(t.folder, "again"));
  assert.equal(fileDigest(join(t.folder, "again")), fileDigest(t.archive));
});

Deno.test("unpack() writes nothing outside of its folder", async () => {
  for (const name of ["root/../evil", "/etc/evil", "evil", "root/a\\b", "root//evil"]) {
    using t = await packed();
    await forge(t.archive, (header) => {
      header.fill(0, 0, 100);
      header.set(new TextEncoder().encode(name));
    });
    const error = await unpack(t.archive, join(t.folder, "out", "deep")).catch((error) => error);
    if (name === "/etc/evil") {
      assert.deepEqual(filesOf(join(t.folder, "out", "deep")).includes("etc/evil"), true);
    } else assert.equal(error.message, `it holds ${JSON.stringify(name)}`);
    assert.deepEqual([...Deno.readDirSync(t.folder)].map(({ name }) => name).includes("evil"), false);
  }
});

Deno.test("unpack() refuses links, noise and what is cut off", async () => {
  using t = await packed();
  const whole = await Deno.readFile(t.archive);
  await forge(t.archive, (header) => header[156] = 0x32);
  await assert.rejects(unpack(t.archive, join(t.folder, "a")), {
    message: "root/empty is not a regular file",
  });
  await Deno.writeFile(t.archive, Uint8Array.from({ length: 3000 }, (_, i) => i * 31));
  await assert.rejects(unpack(t.archive, join(t.folder, "b")), {
    message: "it is not a whole .tar.zst file",
  });
  for (const length of [0, 100, whole.length - 30]) {
    await Deno.writeFile(t.archive, whole.slice(0, length));
    await assert.rejects(unpack(t.archive, join(t.folder, `c${length}`)), { name: "SyntaxError" });
  }
  await Deno.writeFile(t.archive, zstdCompressSync(zstdDecompressSync(whole).subarray(0, 1200)));
  await assert.rejects(unpack(t.archive, join(t.folder, "d")), { message: "it is cut off" });
});
