/** Holds the import arrows of the house (docs/architecture.md): an import is a cache key, so arrows are contracts. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));

/** Folders and leaf modules that each folder may import by value; imports inside a folder are always allowed. */
const allowed: Record<string, readonly string[]> = {
  "random.ts": [],
  "ndarray.ts": [],
  process: [],
  engine: ["random.ts", "ndarray.ts"],
  nn: ["engine", "random.ts", "ndarray.ts"],
  policies: ["nn", "engine", "process", "random.ts", "ndarray.ts"],
  rl: ["policies", "nn", "engine", "random.ts", "ndarray.ts"],
  envs: ["process", "random.ts", "ndarray.ts"],
  data: ["random.ts", "ndarray.ts"],
  lab: ["random.ts"],
  stages: ["rl", "policies", "nn", "engine", "envs", "data", "process", "random.ts", "ndarray.ts"],
  // Experiments name tasks and compose the schemas of hyperparameters where methods declare them.
  experiments: ["stages", "lab/experiment.ts", "rl", "policies", "envs"],
  results: ["lab", "data", "random.ts", "ndarray.ts"],
  // Setup and doctor look at the simulators themselves; a policy is served where it is opened, in stages.
  tasks: [
    ...["experiments", "lab", "results", "data", "envs", "random.ts"],
    ...["policies/openpi_server.ts", "stages/served_flow.ts", "stages/lerobot_install.ts"],
  ],
};

interface Edge {
  readonly from: string;
  readonly to: string;
}

async function* modules(folder: string): AsyncGenerator<string> {
  for await (const item of Deno.readDir(folder)) {
    const path = `${folder}/${item.name}`;
    if (item.isDirectory) yield* modules(path);
    else if (/\.tsx?$/.test(item.name) && !/_test\.tsx?$/.test(item.name)) yield path;
  }
}

/** Value-import edges between modules of the house, as `deno info --json` resolves them. */
async function valueEdges(): Promise<Edge[]> {
  const entries: string[] = [];
  for (const name of Object.keys(allowed)) {
    if (name.endsWith(".ts")) entries.push(root + name);
    else for await (const path of modules(root + name)) entries.push(path);
  }
  const listing = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      listing,
      entries.map((path) => `import ${JSON.stringify("file://" + path)};`).join("\n"),
    );
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", `${root}deno.json`, listing],
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const graph = JSON.parse(new TextDecoder().decode(stdout)) as {
      modules: { specifier: string; dependencies?: { code?: { specifier?: string } }[] }[];
    };
    const inside = (specifier: string | undefined) =>
      specifier?.startsWith(`file://${root}`) && !specifier.includes("/node_modules/")
        ? specifier.slice(`file://${root}`.length)
        : undefined;
    const edges: Edge[] = [];
    for (const module of graph.modules) {
      const from = inside(module.specifier);
      if (!from) continue;
      for (const dependency of module.dependencies ?? []) {
        const to = inside(dependency.code?.specifier);
        if (to) edges.push({ from, to });
      }
    }
    return edges;
  } finally {
    await Deno.remove(listing);
  }
}

/** The folder a module belongs to, or the module itself at the root. */
const room = (path: string) => path.includes("/") ? path.slice(0, path.indexOf("/")) : path;

Deno.test("value imports follow the arrows of the house", async () => {
  const edges = await valueEdges();
  assert.ok(edges.length > 50, `only ${edges.length} imports were seen: the walk is broken`);
  const wrong = edges.filter(({ from, to }) => {
    const rules = allowed[room(from)] ?? [];
    return room(from) !== room(to) && !rules.includes(room(to)) && !rules.includes(to);
  });
  assert.deepEqual(wrong.map(({ from, to }) => `${from} -> ${to}`), []);
});

Deno.test("no module of the house imports mod.ts, and no import is a barrel", async () => {
  const edges = await valueEdges();
  assert.deepEqual(edges.filter(({ to }) => to === "mod.ts" || /(^|\/)index\.ts$/.test(to)), []);
});

Deno.test("no value import closes a circle", async () => {
  const next = new Map<string, string[]>();
  for (const { from, to } of await valueEdges()) next.set(from, [...next.get(from) ?? [], to]);
  const done = new Set<string>(), path: string[] = [];
  const visit = (module: string): void => {
    assert.ok(!path.includes(module), `Circle: ${[...path, module].join(" -> ")}`);
    if (done.has(module)) return;
    path.push(module);
    for (const to of next.get(module) ?? []) visit(to);
    path.pop();
    done.add(module);
  };
  for (const module of next.keys()) visit(module);
});

Deno.test("modules stay below 300 lines", async () => {
  const long: string[] = [];
  for (const name of Object.keys(allowed)) {
    if (name.endsWith(".ts")) continue;
    for await (const path of modules(root + name)) {
      const lines = (await Deno.readTextFile(path)).split("\n").length;
      if (lines > 300) long.push(`${path.slice(root.length)}: ${lines} lines`);
    }
  }
  assert.deepEqual(long, []);
});

Deno.test("hidden inputs stay out of everything that is hashed", async () => {
  const banned = /\bMath\.random\b|\bDate\.now\b|\bnew Date\b|\bDeno\.env\b|\bperformance\.now\b/;
  const found: string[] = [];
  for (const name of ["process", "engine", "nn", "rl", "policies", "data", "envs", "stages"]) {
    for await (const path of modules(root + name)) {
      // The machine's paths to LIBERO come from its variables; what they hold is in the simulator's fingerprint.
      if (path.endsWith("/envs/libero_install.ts")) continue;
      // Likewise the path to LeRobot's Python: the versions behind it are in the fingerprint.
      if (path.endsWith("/stages/lerobot_install.ts")) continue;
      if (path.endsWith("/envs/aloha_install.ts")) continue; // and to ALOHA's
      // A secret is no input: nothing that is computed depends on it.
      if (path.endsWith("/stages/openpi_key.ts")) continue;
      (await Deno.readTextFile(path)).split("\n").forEach((line, i) => {
        if (banned.test(line)) found.push(`${path.slice(root.length)}:${i + 1}: ${line.trim()}`);
      });
    }
  }
  assert.deepEqual(found, []);
});
