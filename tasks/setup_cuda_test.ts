import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packagesOf } from "./cuda_packages.ts";
import { type Places, places, setup, type SetupOptions } from "./setup_cuda.ts";
import type { Probe } from "../lab/device.ts";

const COMMAND = "deno task setup:cuda";
const libraries = [
  { file: "libcublasLt.so.13", package: "nvidia-cublas" },
  { file: "libcublas.so.13", package: "nvidia-cublas" },
  { file: "libcudnn.so.9", package: "nvidia-cudnn-cu13" },
  { file: "libonnxruntime.so.1.30.0", package: "onnxruntime-gpu" },
  { file: "libonnxruntime_providers_cuda.so", package: "onnxruntime-gpu" },
] as const;
const pins = { "nvidia-cublas": "13.1.2.11", "nvidia-cudnn-cu13": "9.28.0.42", "onnxruntime-gpu": "1.30.0" };
const CUBLAS = ["nvidia/cu13/lib/libcublas.so.13", "nvidia/cu13/lib/libcublasLt.so.13"];
const CUDNN = ["nvidia/cudnn/lib/libcudnn.so.9", "nvidia/cudnn/lib/libcudnn_ops.so.9"];
const ORT = [
  "libonnxruntime.so.1.30.0",
  "libonnxruntime_providers_cuda.so",
  "libonnxruntime_providers_tensorrt.so",
]
  .map((file) => `onnxruntime/capi/${file}`);
const WHEELS = { "nvidia-cublas": CUBLAS, "nvidia-cudnn-cu13": CUDNN, "onnxruntime-gpu": ORT };
const fine: Probe["checks"] = [{ name: "driver", ok: true, detail: "serves CUDA 13.0" }];

function files(root: string, paths: readonly string[], content = "elf"): void {
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${content} ${path}`);
  }
}

interface Machine {
  readonly folder: string;
  readonly lib: string;
  /** A site-packages with all libraries but ONNX Runtime's. */
  readonly site: string;
  readonly where: Places;
  /** Writes requirements with these versions. */
  pin(versions?: Partial<typeof pins>): void;
  /** Puts a wheel into the index; `content` makes it another one. */
  wheel(name: keyof typeof pins, version?: string, content?: string): Promise<void>;
  /** Runs the setup with a Python whose index holds the wheels: what it said, and the packages it fetched. */
  run(options?: SetupOptions, checks?: Probe["checks"]): Promise<{ said: string[]; fetched: string[] }>;
}

async function machine(test: (at: Machine) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "cuda-setup-"));
  const home = join(folder, ".cuda"), site = join(folder, "site-packages"), index = join(folder, "index");
  const requirements = join(folder, "requirements.txt"), python = join(folder, "python");
  const log = join(folder, "asked.txt");
  mkdirSync(index);
  files(site, [...CUBLAS, ...CUDNN]);
  writeFileSync(
    python,
    `#!/bin/sh
if [ "$1" = -c ]; then exec python3 "$@"; fi
while [ $# -gt 0 ]; do case "$1" in -d) wheels=$2; shift;; -r) list=$2; shift;; esac; shift; done
cat "$list" >> ${log}
if [ -z "$(ls ${index})" ]; then echo "ERROR: No matching distribution (from versions: none)" >&2; exit 1; fi
cp ${index}/* "$wheels"
`,
  );
  chmodSync(python, 0o755);
  const at: Machine = {
    ...{ folder, lib: join(home, "lib"), site },
    where: { home, requirements, libraries, look: () => Promise.resolve({ checks: fine }) },
    pin: (versions = {}) => {
      const lines = Object.entries({ ...pins, ...versions }).map(([name, version]) =>
        `${name}==${version} \\\n    --hash=sha256:${"0".repeat(64)}\n`
      );
      writeFileSync(requirements, lines.join(""));
    },
    wheel: async (name, version = pins[name], content = "wheel") => {
      const source = mkdtempSync(join(folder, "wheel-"));
      files(source, WHEELS[name], content);
      const path = join(index, `${name.replaceAll("-", "_")}-${version}-py3-none-any.whl`);
      const code = "import shutil, sys; shutil.make_archive(sys.argv[1], 'zip', sys.argv[2])";
      const args = ["-c", code, path, source];
      assert.ok((await new Deno.Command("python3", { args }).output()).success);
      Deno.renameSync(`${path}.zip`, path);
    },
    run: async (options = {}, checks = fine) => {
      const said: string[] = [];
      writeFileSync(log, "");
      const look = () => Promise.resolve({ checks });
      await setup({ python, ...options }, { ...at.where, look }, (line) => said.push(line));
      const fetched = readFileSync(log, "utf8").split("\n").filter(Boolean).map((line) =>
        line.split("==")[0]!
      );
      return { said, fetched };
    },
  };
  at.pin();
  try {
    await test(at);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const all = ["libcublas.so.13", "libcublasLt.so.13", "libcudnn.so.9", "libcudnn_ops.so.9"]
  .concat("libonnxruntime.so.1.30.0", "libonnxruntime_providers_cuda.so");

Deno.test("setup:cuda links what --site has and fetches the rest; then nothing is to be done", () =>
  machine(async ({ lib, site, wheel, run, where }) => {
    await wheel("onnxruntime-gpu");
    const { said, fetched } = await run({ site });
    assert.deepEqual(fetched, ["onnxruntime-gpu"]);
    assert.deepEqual(readdirSync(lib).sort(), all);
    assert.ok(lstatSync(join(lib, "libcublas.so.13")).isSymbolicLink());
    assert.ok(lstatSync(join(lib, "libonnxruntime.so.1.30.0")).isFile());
    assert.equal(said[0], `linked nvidia-cublas of ${site}`);
    assert.equal(said.at(-1), "ok    driver: serves CUDA 13.0");
    for (const rest of ["wheels", "unpacked"]) assert.ok(!existsSync(join(where.home, rest)));
    const again = await run();
    assert.deepEqual(again.fetched, []);
    assert.equal(again.said[0], `${lib}: all 5 libraries are there`);
  }));

Deno.test("setup:cuda without network takes ONNX Runtime's libraries of the right version that were put there", () =>
  machine(async ({ lib, site, run }) => {
    files(lib, ["libonnxruntime.so.1.30.0", "libonnxruntime_providers_cuda.so"]);
    assert.deepEqual((await run({ site })).fetched, []);
  }));

Deno.test("setup:cuda fetches what a dangling link stands for, also of what is only loaded by others", () =>
  machine(async ({ lib, site, wheel, run }) => {
    for (const name of ["onnxruntime-gpu", "nvidia-cublas", "nvidia-cudnn-cu13"] as const) await wheel(name);
    await run({ site });
    rmSync(join(site, "nvidia/cu13"), { recursive: true });
    rmSync(join(site, "nvidia/cudnn/lib/libcudnn_ops.so.9"));
    assert.deepEqual((await run()).fetched, ["nvidia-cublas", "nvidia-cudnn-cu13"]);
    assert.equal(readFileSync(join(lib, "libcublas.so.13"), "utf8"), `wheel ${CUBLAS[0]}`);
    assert.deepEqual(readdirSync(lib).sort(), all);
  }));

Deno.test("setup:cuda does not link another version of ONNX Runtime, and says so", () =>
  machine(async ({ lib, site, wheel, run }) => {
    const older = ["libonnxruntime.so.1.29.0", "libonnxruntime_providers_cuda.so"];
    files(site, older.map((file) => `onnxruntime/capi/${file}`));
    mkdirSync(join(site, "onnxruntime_gpu-1.29.0.dist-info"));
    // Linked by hand, or by an older setup.
    mkdirSync(lib, { recursive: true });
    for (const file of older) symlinkSync(join(site, "onnxruntime/capi", file), join(lib, file));
    await wheel("onnxruntime-gpu");
    const { said, fetched } = await run({ site });
    assert.ok(said.includes(`not linked: onnxruntime-gpu 1.29.0 of ${site}, 1.30.0 is needed`), String(said));
    assert.deepEqual(fetched, ["onnxruntime-gpu"]);
    assert.deepEqual(readdirSync(lib).sort(), all);
  }));

Deno.test("setup:cuda goes on after a killed unpack", () =>
  machine(async ({ folder, lib, site, wheel, run, where }) => {
    await wheel("onnxruntime-gpu");
    await wheel("nvidia-cudnn-cu13");
    rmSync(join(site, "nvidia/cudnn"), { recursive: true });
    // An older setup was killed when it had written the file that the engine names, and none that this one loads.
    files(lib, ["libcudnn.so.9"], "half");
    const killed = join(folder, "killed");
    writeFileSync(
      killed,
      `#!/bin/sh\nif [ "$1" = -c ]; then kill -9 $$; fi\nexec ${join(folder, "python")} "$@"\n`,
    );
    chmodSync(killed, 0o755);
    await assert.rejects(run({ site, python: killed }), {
      message: "Cannot unpack nvidia_cudnn_cu13-9.28.0.42-py3-none-any.whl: its process ended",
    });
    assert.deepEqual(readdirSync(lib).sort(), ["libcublas.so.13", "libcublasLt.so.13", "libcudnn.so.9"]);
    assert.deepEqual((await run()).fetched, ["nvidia-cudnn-cu13", "onnxruntime-gpu"]);
    assert.deepEqual(readdirSync(lib).sort(), all);
    // This setup was killed when it had moved a part of the files.
    const record = join(where.home, "installed.json");
    const origins = JSON.parse(readFileSync(record, "utf8"));
    origins["nvidia-cudnn-cu13"].unfinished = true;
    writeFileSync(record, JSON.stringify(origins));
    assert.deepEqual((await run()).fetched, ["nvidia-cudnn-cu13"]);
    assert.deepEqual((await run()).fetched, []);
    // A file was cut off.
    writeFileSync(join(lib, "libcudnn_ops.so.9"), "");
    assert.deepEqual((await run()).fetched, ["nvidia-cudnn-cu13"]);
  }));

Deno.test("setup:cuda sees that the requirements ask for another version", () =>
  machine(async ({ lib, site, pin, wheel, run }) => {
    await wheel("onnxruntime-gpu");
    await wheel("nvidia-cudnn-cu13");
    rmSync(join(site, "nvidia/cudnn"), { recursive: true });
    await run({ site });
    pin({ "nvidia-cudnn-cu13": "9.29.0.1", "nvidia-cublas": "13.2" });
    await wheel("nvidia-cudnn-cu13", "9.29.0.1", "newer");
    // Links are what --site had: no requirement made them.
    assert.deepEqual((await run()).fetched, ["nvidia-cudnn-cu13"]);
    assert.equal(readFileSync(join(lib, "libcudnn.so.9"), "utf8"), `newer ${CUDNN[0]}`);
    assert.deepEqual((await run()).fetched, []);
  }));

Deno.test("setup:cuda says in one line why it cannot go on", () =>
  machine(async ({ folder, site, wheel, run, where }) => {
    await assert.rejects(run({ site }), {
      message:
        "Cannot fetch onnxruntime-gpu==1.30.0: the package index cannot be reached, check the network or " +
        "pip's configuration",
    });
    await assert.rejects(run({ site, python: join(folder, "nowhere") }), {
      message:
        `Cannot fetch onnxruntime-gpu==1.30.0: ${folder}/nowhere does not start, give --python one with pip`,
    });
    await assert.rejects(run({ site: join(folder, "index") }), {
      name: "UsageError",
      message: `Cannot use --site ${join(folder, "index")}: it holds no library that is needed`,
    });
    await assert.rejects(run({ site: join(folder, "nowhere") }), {
      message: `Cannot use --site ${join(folder, "nowhere")}: there is no such folder`,
    });
    await wheel("onnxruntime-gpu", "1.30.0");
    const incomplete = {
      ...where,
      libraries: [...libraries, { file: "libx.so.1", package: "onnxruntime-gpu" }],
    };
    await assert.rejects(setup({ site, python: join(folder, "python") }, incomplete, () => {}), {
      message: "Cannot use onnxruntime_gpu-1.30.0-py3-none-any.whl: it lacks libx.so.1",
    });
    // Even root cannot make a folder below a file.
    const home = join(folder, "requirements.txt", ".cuda");
    await assert.rejects(setup({ site }, { ...where, home }, () => {}), {
      message: new RegExp(`^Cannot make ${home}/lib: the folder cannot be written \\(.*\\)$`),
    });
  }));

Deno.test("setup:cuda fails where libraries do not work, not where only the GPU is missing", () =>
  machine(async ({ site, wheel, run, where }) => {
    await wheel("onnxruntime-gpu");
    const driver = { name: "driver", ok: false, detail: "no NVIDIA driver", mend: "install NVIDIA's driver" };
    const { said } = await run({ site }, [driver, {
      name: "libraries",
      ok: true,
      detail: "9",
      mend: COMMAND,
    }]);
    assert.deepEqual(said.slice(-3), [
      "MEND  driver: no NVIDIA driver -- install NVIDIA's driver",
      "ok    libraries: 9",
      "The libraries are set up, but this machine cannot use a GPU yet: see MEND (driver) above",
    ]);
    const crash = "run deno task setup:cuda, update the GPU's driver, or use --device cpu";
    await assert.rejects(
      run({}, [{ name: "cuda", ok: false, detail: "its probe ended early", mend: crash }]),
      {
        message:
          `Cannot use the libraries: its probe ended early; remove ${where.home} and run ${COMMAND} again, ` +
          "update the GPU's driver, or use --device cpu",
      },
    );
    const broken = { name: "libraries", ok: false, detail: "libcublas.so.13: bad ELF", mend: COMMAND };
    await assert.rejects(run({}, [...fine, broken]), {
      message:
        `Cannot use the libraries: libcublas.so.13: bad ELF; remove ${where.home} and run ${COMMAND} again`,
    });
  }));

Deno.test("the requirements pin every package of the engine's libraries, and ONNX Runtime in its version", async () => {
  const { libraries, requirements } = await places();
  const packages = packagesOf(libraries, requirements);
  const runtime = packages.find(({ name }) => name === "onnxruntime-gpu")!;
  assert.ok(runtime.files.includes(`libonnxruntime.so.${runtime.version}`), String(runtime.files));
});
