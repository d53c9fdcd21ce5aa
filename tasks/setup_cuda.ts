/**
 * `deno task setup:cuda [--site DIR] [--python PYTHON]`: puts the libraries that a CUDA GPU needs into `.cuda/lib`. Those
 * that a Python environment already holds (`--site`, its folder site-packages: PyTorch and JAX bring most of them) are
 * linked, the others fetched by pip from the hashed requirements. A second run is done in a moment.
 */
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { firstLine } from "../lab/errors.ts";
import { probe } from "../lab/device.ts";

/** Where things are. */
interface Places {
  /** The folder `.cuda`. */
  readonly home: string;
  /** The hashed requirements. */
  readonly requirements: string;
}

/** What the command line asks for. */
export interface SetupOptions {
  /** A folder site-packages whose libraries are linked. */
  readonly site?: string | undefined;
  /** The interpreter whose pip fetches what is missing; the first on the path unless said. */
  readonly python?: string | undefined;
}

const LIBRARY = /^lib(cudart|cublas|cublasLt|curand|nvrtc|nvrtc-builtins|cudnn\w*|onnxruntime\w*)\.so(\.|$)/;

/** This repository's places. */
export function places(): Places {
  const root = fileURLToPath(new URL("../", import.meta.url));
  return { home: join(root, ".cuda"), requirements: join(root, "python", "cuda", "requirements.txt") };
}

/**
 * Sets the GPU up and says each step.
 *
 * @throws {Error} when a step fails, in one line
 */
export async function setup(
  options: SetupOptions,
  where: Places,
  say: (line: string) => void,
): Promise<void> {
  const lib = join(where.home, "lib");
  try {
    mkdirSync(lib, { recursive: true });
    writeFileSync(join(where.home, ".gitignore"), "*\n");
  } catch (error) {
    throw new Error(`Cannot make ${lib}: the folder cannot be written (${firstLine(error)})`);
  }
  if (options.site !== undefined) {
    const found = librariesUnder(resolve(options.site));
    if (found.size === 0) throw new Error(`Cannot use --site ${options.site}: it holds no CUDA library`);
    for (const [file, path] of found) link(path, join(lib, file));
    say(`linked ${found.size} libraries of ${options.site}`);
  }
  const lacking = lacks(lib, where.requirements);
  if (lacking.length > 0) await fetch_(lacking, options.python ?? "python3", lib, where, say);
  const { checks } = await probe("cuda");
  for (const { name, ok, detail, mend } of checks) {
    say(`${ok ? "ok  " : "MEND"}  ${name}: ${detail}${ok || !mend ? "" : ` -- ${mend}`}`);
  }
}

/** The CUDA libraries below a folder, by file name. */
function librariesUnder(site: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of ["nvidia", "onnxruntime"]) {
    let files: string[];
    try {
      files = readdirSync(join(site, part), { recursive: true }) as string[];
    } catch {
      continue;
    }
    for (const file of files) {
      const name = file.slice(file.lastIndexOf("/") + 1);
      // ONNX Runtime's own library without its CUDA part is the CPU's.
      if (LIBRARY.test(name) && !found.has(name)) found.set(name, join(site, part, file));
    }
  }
  if (![...found.keys()].includes("libonnxruntime_providers_cuda.so")) {
    for (const name of [...found.keys()]) if (name.startsWith("libonnxruntime")) found.delete(name);
  }
  return found;
}

function link(path: string, at: string): void {
  rmSync(at, { force: true });
  symlinkSync(path, at);
}

/** A file of each package that tells whether the package is there. */
const MARKS: Readonly<Record<string, string>> = {
  "onnxruntime-gpu": "libonnxruntime_providers_cuda.so",
  "nvidia-cuda-runtime": "libcudart.so.13",
  "nvidia-cublas": "libcublas.so.13",
  "nvidia-curand": "libcurand.so.10",
  "nvidia-cuda-nvrtc": "libnvrtc.so.13",
  "nvidia-cudnn-cu13": "libcudnn.so.9",
};

/** The requirements, each with its hash, of which the folder holds nothing. */
function lacks(lib: string, requirements: string): string[] {
  const there = new Set(readdirSync(lib));
  const lines = Deno.readTextFileSync(requirements).replaceAll("\\\n", " ").split("\n");
  return lines.filter((line) => {
    const mark = MARKS[line.slice(0, line.indexOf("=="))];
    return mark !== undefined && !there.has(mark);
  });
}

// Unpacks the libraries of all wheels in a folder into another one.
const UNPACK = `
import glob, os, shutil, sys, zipfile
for wheel in glob.glob(os.path.join(sys.argv[1], "*.whl")):
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            base = os.path.basename(name)
            if ".so" in base and base.startswith("lib") and "tensorrt" not in base:
                path = os.path.join(sys.argv[2], base)
                with z.open(name) as source, open(path + ".tmp", "wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                os.replace(path + ".tmp", path)
`;

async function fetch_(
  lines: readonly string[],
  python: string,
  lib: string,
  { home }: Places,
  say: (line: string) => void,
): Promise<void> {
  const [list, wheels] = [join(home, "lacking.txt"), join(home, "wheels")];
  writeFileSync(list, lines.join("\n") + "\n");
  mkdirSync(wheels, { recursive: true });
  say(`fetching ${lines.map((line) => line.split(" ", 1)[0]).join(", ")} (up to 1.2 GB)`);
  const platforms = [
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
  ];
  await step(python, [
    ...[
      "-m",
      "pip",
      "download",
      "--disable-pip-version-check",
      "--no-input",
      "--no-deps",
      "--require-hashes",
    ],
    ...["--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp"],
    ...platforms.flatMap((platform) => ["--platform", platform]),
    ...["-d", wheels, "-r", list],
  ]);
  await step(python, ["-c", UNPACK, wheels, lib]);
  rmSync(wheels, { recursive: true });
}

async function step(program: string, args: readonly string[]): Promise<void> {
  let lines: string[];
  try {
    const { success, stderr } = await new Deno.Command(program, { args: [...args], stdout: "null" }).output();
    if (success) return;
    lines = new TextDecoder().decode(stderr).trim().split("\n");
  } catch {
    throw new Error(
      `Cannot fetch the GPU's libraries: ${program} does not start; give --python one with pip`,
    );
  }
  const text = lines.join("\n");
  const reason =
    /NewConnectionError|ConnectTimeout|Temporary failure|ProxyError|unreachable|from versions: none/
        .test(text)
      ? "the package index cannot be reached, check the network or pip's configuration"
      : /No module named '?pip/.test(text)
      ? `${program} has no pip, give --python one that has`
      : lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "no reason given";
  throw new Error(`Cannot fetch the GPU's libraries: ${reason.replace(/^ERROR: /, "")}`);
}

if (import.meta.main) {
  try {
    const { values } = parseArgs({ options: { site: { type: "string" }, python: { type: "string" } } });
    if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
      throw new Error(
        `Cannot set a GPU up on ${Deno.build.os} ${Deno.build.arch}: only on Linux x86_64 so far`,
      );
    }
    await setup(values, places(), (line) => console.log(line));
  } catch (error) {
    console.error(firstLine(error));
    Deno.exit(1);
  }
}
