import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fingerprint, libero, packageVersions, type Places, requirementsDigest } from "./libero_install.ts";

/** A machine in a folder: worker and requirements, an environment with mujoco, data with one suite. */
interface Machine {
  readonly folder: string;
  readonly where: Places;
  put(path: string, text?: string): string;
}

function onMachine(name: string, test: (machine: Machine) => void): void {
  Deno.test(name, () => {
    const folder = mkdtempSync(join(tmpdir(), "libero-install-"));
    const put = (path: string, text = "") => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
      return join(folder, path);
    };
    const where: Places = {
      home: join(folder, ".libero"),
      worker: join(folder, "worker"),
      user: join(folder, "user"),
      variables: {},
    };
    put("worker/requirements.txt", "mujoco==3.2.3\n");
    put("worker/requirements_build.txt");
    put("worker/worker.py", "print()");
    put("worker_process/loop.py", "print()");
    try {
      test({ folder, where, put });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

function environment({ where, put }: Machine, made = requirementsDigest(where)): string {
  const python = put(".libero/venv/bin/python");
  put(".libero/venv/lib/python3.11/site-packages/mujoco/__init__.py");
  put(".libero/venv/lib/python3.11/site-packages/mujoco-3.2.3.dist-info/METADATA");
  put(".libero/venv/lib/python3.11/site-packages/hf_libero-0.1.4.dist-info/METADATA");
  put(".libero/settings.json", JSON.stringify({ python, assets: null, made }));
  return python;
}

function data({ folder, put }: Machine, at = "data"): string {
  put(`${at}/assets/scenes/table.xml`, "<mujoco/>");
  put(`${at}/bddl_files/suite/task.bddl`, "(define)");
  put(`${at}/init_files/suite/task.pruned_init`, "zip");
  return join(folder, at);
}

onMachine("libero() without an environment names the task that makes one", ({ where }) => {
  assert.throws(() => libero(where), {
    message: 'Cannot run LIBERO: its Python environment must be made by "deno task setup:libero"',
  });
});

onMachine("libero() refuses an environment of other requirements", (machine) => {
  environment(machine, "0".repeat(64));
  assert.throws(() => libero(machine.where), {
    message:
      'Cannot run LIBERO: its Python environment is of other requirements, run "deno task setup:libero"',
  });
});

onMachine("libero() says that damaged settings are damaged", (machine) => {
  environment(machine);
  const path = machine.put(".libero/settings.json", '{"python": ');
  assert.throws(() => libero(machine.where), {
    message: `Cannot read ${path}: it is damaged, delete it and run "deno task setup:libero"`,
  });
});

onMachine("libero() checks the interpreter that LIBERO_PYTHON names", (machine) => {
  const at = (LIBERO_PYTHON: string) => ({ ...machine.where, variables: { LIBERO_PYTHON } });
  assert.throws(() => libero(at("/no/python")), {
    message: "Cannot run LIBERO in LIBERO_PYTHON=/no/python: there is no such file",
  });
  const bare = machine.put("bare/bin/python");
  assert.throws(() => libero(at(bare)), {
    message: /it has no mujoco \(unset it and run "deno task setup:libero"\)$/,
  });
});

onMachine("libero() without data names both ways to them", (machine) => {
  environment(machine);
  assert.throws(() => libero(machine.where), {
    message:
      /^Cannot find LIBERO's assets: set LIBERO_ASSETS to .* or run "deno task setup:libero --download"$/,
  });
});

onMachine("libero() says what a folder of data lacks", (machine) => {
  environment(machine);
  machine.put("partial/assets/x.xml");
  const folder = join(machine.folder, "partial");
  const at = (LIBERO_ASSETS: string) => ({ ...machine.where, variables: { LIBERO_ASSETS } });
  assert.throws(() => libero(at(folder)), {
    message: `Cannot use LIBERO_ASSETS, ${folder}: it has no bddl_files/, init_files/`,
  });
  assert.throws(() => libero(at("/no/folder")), {
    message: "Cannot use LIBERO_ASSETS, /no/folder: there is no such folder",
  });
});

onMachine("libero() finds a checkout, the user's configuration and hf-libero's download", (machine) => {
  const python = environment(machine);
  const checkout = data(machine, "checkout/libero/libero");
  const variables = { LIBERO_ASSETS: join(machine.folder, "checkout") };
  assert.equal(libero({ ...machine.where, variables }).root, checkout);

  const site = ".libero/venv/lib/python3.11/site-packages/libero/libero";
  machine.put(`${site}/bddl_files/suite/task.bddl`, "(define)");
  machine.put(`${site}/init_files/suite/task.pruned_init`, "zip");
  machine.put("user/.cache/libero/assets/scenes/table.xml", "downloaded");
  const downloaded = libero(machine.where);
  assert.equal(downloaded.python, python);
  assert.equal(readFileSync(join(downloaded.root, "assets/scenes/table.xml"), "utf8"), "downloaded");
  assert.ok(existsSync(join(downloaded.root, "bddl_files/suite/task.bddl")));
  assert.equal(libero(machine.where).root, downloaded.root);

  const own = data(machine, "own");
  const paths = `assets: ${own}/assets\nbddl_files: ${own}/bddl_files\ninit_states: ${own}/init_files\n`;
  machine.put("user/.libero/config.yaml", paths);
  const configured = libero(machine.where);
  assert.equal(readFileSync(join(configured.root, "assets/scenes/table.xml"), "utf8"), "<mujoco/>");
});

onMachine(
  "the digest of the data follows their bytes and names the stand-ins their README lists",
  (machine) => {
    environment(machine);
    const root = data(machine);
    const where = { ...machine.where, variables: { LIBERO_ASSETS: root } };
    const first = libero(where).assets;
    assert.deepEqual(first.standIns, []);
    assert.deepEqual(libero(where).assets, first);
    machine.put("data/README.md", "| assets/scenes/table.xml | a plain table | 9 |");
    assert.deepEqual(libero(where).assets, { ...first, standIns: ["assets/scenes/table.xml"] });
    machine.put("data/assets/scenes/table.xml", "<mujoco>x</mujoco>");
    assert.notEqual(libero(where).assets.digest, first.digest);
  },
);

onMachine(
  "fingerprint() changes with a package, the worker and the data, not with where they are",
  (machine) => {
    environment(machine);
    const where = { ...machine.where, variables: { LIBERO_ASSETS: data(machine) } };
    const first = fingerprint(where);
    assert.deepEqual(first.packages, { mujoco: "3.2.3", "hf-libero": "0.1.4" });
    const moved = { ...where, variables: { LIBERO_ASSETS: data(machine, "elsewhere") } };
    assert.deepEqual(fingerprint(moved), first);

    machine.put("worker/worker.py", "print(1)");
    const edited = fingerprint(where);
    assert.notEqual(edited.worker, first.worker);
    machine.put("worker_process/loop.py", "print(1)");
    assert.notEqual(fingerprint(where).worker, edited.worker);
    const site = join(machine.folder, ".libero/venv/lib/python3.11/site-packages");
    rmSync(join(site, "mujoco-3.2.3.dist-info"), { recursive: true });
    machine.put(".libero/venv/lib/python3.11/site-packages/mujoco-3.3.2.dist-info/METADATA");
    assert.equal(fingerprint(where).packages.mujoco, "3.3.2");
    assert.equal(packageVersions(join(machine.folder, ".libero/venv/bin/python")).mujoco, "3.3.2");
  },
);
