import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { modulesDigest, packagesBeside, packageVersions } from "./python_environment.ts";

/** Does `test` in a folder with empty files at `paths`. */
function within(paths: readonly string[], test: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "python-environment-"));
  try {
    for (const path of paths) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), "");
    }
    test(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

Deno.test("packagesBeside() takes the first folder that holds the package, and nothing of other Pythons", () => {
  const at = (path: string) => `${path}.dist-info/METADATA`;
  within([
    at("lib/python3.11/site-packages/numpy-1.26.4"),
    at("lib/python3.12/site-packages/Gym_Aloha-0.1.5"),
    at("lib/python3.12/site-packages/numpy-2.4.6"),
    at("lib64/python3.13/site-packages/mujoco-3.2.3"),
  ], (folder) => {
    const python = join(folder, "bin", "python");
    assert.deepEqual(packagesBeside("gym-aloha", python), {
      folder: join(folder, "lib/python3.12/site-packages"),
      versions: { "gym-aloha": "0.1.5", numpy: "2.4.6" },
    });
    assert.deepEqual(packageVersions("mujoco", python), { mujoco: "3.2.3" });
    assert.deepEqual(packageVersions("numpy", python), { numpy: "1.26.4" });
    assert.deepEqual(packageVersions("gym-aloha", python, ["torch", "numpy"]), { numpy: "2.4.6" });
    assert.equal(packagesBeside("torch", python), undefined);
    assert.deepEqual(packageVersions("torch", python, ["numpy"]), {});
  });
});

Deno.test("modulesDigest() follows names and bytes of the modules that count", () => {
  within(["a/b.py", "a/c/d.py", "a/test_b.py", "a/notes.md", "other/e.py", "other/f.py"], (folder) => {
    const digest = () => modulesDigest([join(folder, "a"), join(folder, "other/e.py")], /(^|[/_])test/);
    const first = digest();
    for (const path of ["a/test_b.py", "a/notes.md", "other/f.py"]) writeFileSync(join(folder, path), "1");
    assert.equal(digest(), first);
    const seen = new Set([first]);
    for (const path of ["a/b.py", "a/c/d.py", "other/e.py"]) {
      writeFileSync(join(folder, path), "1");
      seen.add(digest());
    }
    renameSync(join(folder, "a/b.py"), join(folder, "a/z.py"));
    assert.equal(seen.add(digest()).size, 5);
  });
});
