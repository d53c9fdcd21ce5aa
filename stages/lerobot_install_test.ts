import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fingerprint, type Places, pythonOf, requirementsDigest, wantedVersion } from "./lerobot_install.ts";

/** A machine in a folder: the bridge with its requirements, and what a test puts there. */
function onMachine(
  name: string,
  test: (where: Places, put: (path: string, text?: string) => string) => void,
) {
  Deno.test(name, () => {
    const folder = mkdtempSync(join(tmpdir(), "lerobot-install-"));
    const put = (path: string, text = "") => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
      return join(folder, path);
    };
    put("bridge/requirements.txt", "# made\nlerobot==0.6.1 \\\n    --hash=sha256:00\n");
    put("bridge/server.py", "print()");
    put("worker_process/loop.py", "print()");
    try {
      test({ home: join(folder, ".lerobot"), bridge: join(folder, "bridge"), variables: {} }, put);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

function environment(where: Places, put: (path: string, text?: string) => string, lerobot = "0.6.1"): string {
  const python = put(".lerobot/venv/bin/python");
  for (const name of [`lerobot-${lerobot}`, "torch-2.11.0", "hf_xet-1.8.0"]) {
    put(`.lerobot/venv/lib/python3.12/site-packages/${name}.dist-info/METADATA`);
  }
  put(".lerobot/settings.json", JSON.stringify({ python, made: requirementsDigest(where) }));
  return python;
}

onMachine("pythonOf() says how to make what is missing", (where, put) => {
  assert.throws(
    () => pythonOf(where),
    /^Error: Cannot run LeRobot: its Python environment must be made by "deno task setup:lerobot"$/,
  );
  const python = environment(where, put);
  assert.equal(pythonOf(where), python);
  put("bridge/requirements.txt", "lerobot==0.6.1\nmsgpack==2\n");
  assert.throws(() => pythonOf(where), /of other requirements, run "deno task setup:lerobot"$/);
  put(".lerobot/settings.json", "{");
  assert.throws(() => pythonOf(where), /settings\.json: it is damaged/);
});

onMachine(
  "pythonOf() refuses another LeRobot, in its own environment and in LEROBOT_PYTHON",
  (where, put) => {
    const python = environment(where, put, "0.4.4");
    assert.throws(() => pythonOf(where), /has lerobot 0\.4\.4, wanted 0\.6\.1; delete .*\.lerobot and run/);
    const given = (path: string) => () => pythonOf({ ...where, variables: { LEROBOT_PYTHON: path } });
    assert.throws(given(python), /LEROBOT_PYTHON=.*: it has lerobot 0\.4\.4, wanted 0\.6\.1 \(unset it/);
    assert.throws(given("/nowhere"), /LEROBOT_PYTHON=\/nowhere: there is no such file$/);
    assert.throws(given(put("other/bin/python")), /it has no lerobot, wanted 0\.6\.1/);
  },
);

onMachine("fingerprint() changes with the bridge and the packages, not with tests", (where, put) => {
  environment(where, put);
  const first = fingerprint(where);
  assert.deepEqual(first.packages, { lerobot: "0.6.1", torch: "2.11.0" });
  put("bridge/tests/test_server.py", "1");
  put("bridge/tiny.py", "1");
  assert.deepEqual(fingerprint(where), first);
  put("bridge/server.py", "print(1)");
  const edited = fingerprint(where);
  assert.notEqual(edited.bridge, first.bridge);
  put("worker_process/loop.py", "print(1)");
  assert.notEqual(fingerprint(where).bridge, edited.bridge);
});

Deno.test("the pinned requirements have a hash for every package and name the LeRobot that the docs do", () => {
  const bridge = new URL("../python/lerobot_bridge/", import.meta.url).pathname;
  assert.ok(existsSync(bridge));
  const lines = Deno.readTextFileSync(join(bridge, "requirements.txt")).split("\n");
  const pins = lines.filter((line) => /^[A-Za-z0-9]/.test(line));
  assert.ok(pins.length > 80);
  for (const pin of pins) {
    assert.match(pin, /^[A-Za-z0-9._-]+==[^\s]+ (; .* )?\\$/);
    assert.match(lines[lines.indexOf(pin) + 1]!, /^ {4}--hash=sha256:[0-9a-f]{64}/);
  }
  assert.ok(!lines.some((line) => line.includes("://")), "no address of a registry");
  const where = { home: "", bridge, variables: {} };
  const text = Deno.readTextFileSync(new URL("../docs/lerobot-bridge.md", import.meta.url));
  assert.ok(text.includes(`LeRobot ${wantedVersion(where)}`));
});
