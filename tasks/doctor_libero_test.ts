import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { requirementsDigest } from "../envs/libero_install.ts";
import { liberoChecks } from "./doctor_libero.ts";

Deno.test("exp doctor libero on a machine without LIBERO is one line with its mend", async () => {
  const folder = mkdtempSync(join(tmpdir(), "libero-doctor-"));
  try {
    const where = { home: folder, worker: folder, user: folder, variables: {} };
    assert.deepEqual(await liberoChecks(where), [{
      name: "installation",
      ok: false,
      detail: 'Cannot run LIBERO: its Python environment must be made by "deno task setup:libero"',
      mend: "deno task setup:libero",
    }]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

Deno.test("exp doctor libero names a version outside its pin, its reason, and an interpreter without answer", async () => {
  const folder = mkdtempSync(join(tmpdir(), "libero-doctor-"));
  const put = (path: string, text = "", mode = 0o644) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text, { mode });
    return join(folder, path);
  };
  try {
    const where = {
      home: join(folder, ".libero"),
      worker: join(folder, "worker"),
      user: folder,
      variables: {},
    };
    put("worker/requirements.txt");
    put("worker/requirements_build.txt");
    const python = put("venv/bin/python", '#!/bin/sh\necho "Illegal instruction" >&2\nexit 132\n', 0o755);
    for (const release of ["mujoco-3.4.0", "robosuite-1.4.1", "hf_libero-0.1.4", "numpy-1.26.4"]) {
      put(`venv/lib/python3.12/site-packages/${release}.dist-info/METADATA`);
    }
    put("venv/lib/python3.12/site-packages/mujoco/__init__.py");
    for (const part of ["assets", "bddl_files/suite", "init_files/suite"]) put(`data/${part}/x`);
    const settings = { python, assets: join(folder, "data"), made: requirementsDigest(where) };
    put(".libero/settings.json", JSON.stringify(settings));

    const checks = await liberoChecks(where);
    const failed = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    assert.deepEqual(failed, [
      "mujoco: 3.4.0, 3.2.3 ... 3.3.2 is needed: 3.3.3 draws darker floors, with 3.4.0 the bowl of libero_spatial's " +
      "task 5 slides",
      "interpreter: its check gave no answer: Illegal instruction",
      "renderer: its check gave no answer: Illegal instruction",
    ]);
    assert.match(
      checks.find(({ name }) => name === "assets")!.detail,
      /data, suite, sha256 [0-9a-f]{12}, originals/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
