import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Places } from "../envs/libero_install.ts";
import { requirementsDigest } from "../envs/libero_install.ts";
import { downloadAssets } from "./libero_download.ts";
import { reasonOf } from "./libero_environment.ts";
import { setup } from "./setup_libero.ts";

/** A machine with programs of its own on PATH; each is a shell script. */
async function machine(
  programs: Record<string, string>,
  test: (where: Places, folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "libero-setup-"));
  for (const name of ["bin", "worker"]) mkdirSync(join(folder, name));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  writeFileSync(join(folder, "worker", "requirements.txt"), "mujoco==3.2.3\n");
  writeFileSync(join(folder, "worker", "requirements_build.txt"), "");
  const variables = { PATH: join(folder, "bin") };
  try {
    await test(
      { home: join(folder, ".libero"), worker: join(folder, "worker"), user: folder, variables },
      folder,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const quiet = () => {};
const python = (version: string, rest = "exit 1") =>
  `if [ "$1" = -c ]; then echo "$0"; echo ${version}; exit 0; fi; ${rest}`;

Deno.test("setup() without Python says which one is needed", () =>
  machine({}, (where) =>
    assert.rejects(setup({}, where, quiet), {
      message: "Cannot make LIBERO's environment: it needs Python 3.10 ... 3.13 (none was found); " +
        "install one, or set LIBERO_PYTHON",
    })));

Deno.test("setup() names the Pythons that are too old or too new", () =>
  machine(
    { python3: python("3.8.10"), python: python("3.14.0") },
    (where) =>
      assert.rejects(setup({}, where, quiet), {
        message: /\(python3 is 3\.8\.10, python is 3\.14\.0\)/,
      }),
  ));

Deno.test("setup() says that a Python has no venv module", () =>
  machine(
    { python3: python("3.11.2", 'echo "$0: No module named venv" >&2; exit 1') },
    (where, folder) =>
      assert.rejects(setup({}, where, quiet), {
        message:
          "Cannot make LIBERO's environment: this Python has no venv module, install it (Debian, Ubuntu: " +
          `apt install python3-venv) (${join(folder, ".libero", "setup.log")})`,
      }),
  ));

Deno.test("setup() says that its folder cannot be written", () =>
  machine({ python3: python("3.11.2") }, (where, folder) => {
    // Even root cannot make a folder below a file.
    writeFileSync(join(folder, "file"), "");
    const home = join(folder, "file", ".libero");
    return assert.rejects(setup({}, { ...where, home }, quiet), {
      message: new RegExp(`^Cannot make ${home}: the folder cannot be written \\(.*\\)$`),
    });
  }));

Deno.test("setup() refuses a folder of assets that is none, before it makes anything", () =>
  machine(
    { python3: python("3.11.2") },
    (where, folder) =>
      assert.rejects(setup({ assets: folder }, where, quiet), {
        message: `Cannot use --assets ${folder}: it has no assets/, bddl_files/, init_files/`,
      }),
  ));

Deno.test("setup() leaves an environment of the same requirements alone, and makes others anew", () =>
  machine({ python3: python("3.11.2", "exit 3") }, async (where) => {
    mkdirSync(join(where.home, "venv", "bin"), { recursive: true });
    const interpreter = join(where.home, "venv", "bin", "python");
    writeFileSync(interpreter, "");
    const settings = { python: interpreter, assets: null, made: requirementsDigest(where) };
    writeFileSync(join(where.home, "settings.json"), JSON.stringify(settings, null, 2) + "\n");
    const before = statSync(join(where.home, "settings.json")).mtimeMs;
    const said: string[] = [];
    await setup({}, where, (line) => said.push(line));
    assert.equal(said[0], `environment: ${interpreter}, up to date`);
    assert.match(said.at(-1)!, /^remains: Cannot find LIBERO's assets/);
    assert.equal(statSync(join(where.home, "settings.json")).mtimeMs, before);

    writeFileSync(join(where.worker, "requirements.txt"), "mujoco==3.3.2\n");
    await assert.rejects(setup({}, where, quiet), {
      message: /^Cannot make LIBERO's environment: its process ended/,
    });
  }));

Deno.test("reasonOf() knows the usual failures of an installation", () => {
  const refused = [
    "WARNING: Retrying after NewConnectionError('...: [Errno 111] Connection refused')",
    "ERROR: No matching distribution found for mujoco==3.2.3",
  ];
  assert.match(reasonOf(refused), /^the package index cannot be reached/);
  assert.match(
    reasonOf(["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."]),
    /pinned$/,
  );
  assert.match(reasonOf(["OSError: [Errno 28] No space left on device"]), /^the disk is full/);
  assert.equal(reasonOf(["Collecting", "ERROR: Something else.", "notice"]), "Something else");
});

Deno.test("downloadAssets() fetches what is missing, once, and refuses other bytes", async () => {
  const content: Record<string, string> = { "scenes/a b.xml": "<mujoco/>", "mesh.stl": "large" };
  let asked: string[] = [];
  const oid = (text: string) => createHash("sha1").update(`blob ${text.length}\0${text}`).digest("hex");
  await using server = Deno.serve({ port: 0, onListen: () => {} }, (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname);
    asked.push(path.replace(/^.*\/(tree|resolve)\/[0-9a-f]+\/?/, ""));
    if (path.startsWith("/api/")) {
      return Response.json([
        { type: "directory", path: "scenes", size: 0, oid: "" },
        { type: "file", path: "scenes/a b.xml", size: 9, oid: oid("<mujoco/>") },
        {
          type: "file",
          path: "mesh.stl",
          size: 5,
          oid: "pointer",
          lfs: { oid: createHash("sha256").update("large").digest("hex") },
        },
        { type: "file", path: "../escape", size: 1, oid: oid("x") },
      ]);
    }
    return new Response(content[asked.at(-1)!]);
  });
  const folder = mkdtempSync(join(tmpdir(), "libero-download-"));
  try {
    const variables = { HF_ENDPOINT: `http://localhost:${server.addr.port}` };
    await downloadAssets(folder, variables, quiet);
    assert.equal(readFileSync(join(folder, "scenes/a b.xml"), "utf8"), "<mujoco/>");
    assert.deepEqual(asked.sort(), ["", "mesh.stl", "scenes/a b.xml"]);
    asked = [];
    content["mesh.stl"] = "other";
    await downloadAssets(folder, variables, quiet);
    assert.deepEqual(asked, [""]);
    rmSync(join(folder, "mesh.stl"));
    await assert.rejects(downloadAssets(folder, variables, quiet), {
      message: /its content is not the listed one$/,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

Deno.test("downloadAssets() says that the hub is not reached", () =>
  assert.rejects(downloadAssets("/nowhere", { HF_ENDPOINT: "http://localhost:1" }, quiet), {
    message: /^Cannot fetch LIBERO's assets from localhost:1: .*; set LIBERO_ASSETS$/,
  }));
