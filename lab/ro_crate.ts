/**
 * The metadata of an export as an RO-Crate 1.2, profile Workflow Run Crate 0.5: an experiment's declaration is the
 * workflow, a run is one execution of it, a stage one of a tool. Equal exports have equal metadata.
 */
import type { Json } from "./canonical.ts";
import { type BundledRun, type BundledStage, FILES, places } from "./bundle.ts";

/** What the metadata tell of. */
export interface Described {
  /** The runs. */
  readonly runs: readonly BundledRun[];
  /** Every file but the metadata and the checksums: size by path. */
  readonly files: ReadonlyMap<string, number>;
}

type Entity = { readonly "@id": string } & { readonly [name: string]: Json };

const PROFILES = {
  "https://w3id.org/ro/wfrun/process/0.5": ["Process Run Crate", "0.5"],
  "https://w3id.org/ro/wfrun/workflow/0.5": ["Workflow Run Crate", "0.5"],
  "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ["Workflow RO-Crate", "1.0"],
} as const;
const BIOSCHEMAS = {
  "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE": [
    "Bioschemas ComputationalWorkflow",
    "1.0",
  ],
} as const;
const LICENSE = "https://spdx.org/licenses/MIT";
const LANGUAGE = "#uplift-declaration";
const AGENT = "#operator";

/** The document ro-crate-metadata.json. */
export function crate({ runs, files }: Described): Json {
  const all = new Entities();
  const workflows = new Map(runs.map(({ record: { plan } }) => [places.definition(plan.definition), plan]));
  const experiments = [...new Set(runs.map(({ record: { plan } }) => `${plan.experiment} v${plan.version}`))];
  const seeds = runs.map(({ record: { plan } }) => plan.seed);
  const described = describeFiles(files, sourcePaths(runs));
  const actions = runs.flatMap((run) => runActions(run, all));
  all.add({
    "@id": FILES.crate,
    "@type": "CreativeWork",
    about: ref("./"),
    conformsTo: ref("https://w3id.org/ro/crate/1.2"),
  });
  all.add({
    "@id": "./",
    "@type": "Dataset",
    name: `${experiments.join(", ")}, ${seeds.length === 1 ? "seed" : "seeds"} ${seeds.join(", ")}`,
    description: [...new Set(runs.map(({ record }) => record.plan.summary))].join(" "),
    // The newest outcome, not the hour of the export: equal exports are equal bytes.
    datePublished: newest(runs),
    license: ref(LICENSE),
    conformsTo: Object.keys(PROFILES).map(ref),
    mainEntity: ref([...workflows.keys()][0]!),
    hasPart: [...files.keys()].sort().map(ref),
    mentions: actions.map(ref),
  });
  for (const [id, [name, version]] of Object.entries({ ...PROFILES, ...BIOSCHEMAS })) {
    all.add({ "@id": id, "@type": ["CreativeWork", "Profile"], name, version });
  }
  all.add({
    "@id": LICENSE,
    "@type": "CreativeWork",
    name: "MIT License",
    description: "Licence of the program and of what it wrote",
  });
  all.add({
    "@id": LANGUAGE,
    "@type": "ComputerLanguage",
    name: "Uplift declaration",
    url: "urn:uplift:definition",
    version: "1",
    description: "An experiment's name, version, hyperparameters and graph of stages, as RFC 8785 JSON",
  });
  all.add({ "@id": AGENT, "@type": "Organization", name: "Whoever ran it", description: "Not recorded" });
  for (const [path, { experiment, version, summary }] of workflows) {
    all.add({
      "@id": path,
      "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
      name: experiment,
      description: summary,
      version: String(version),
      programmingLanguage: ref(LANGUAGE),
      encodingFormat: "application/json",
      contentSize: String(files.get(path)),
      license: ref(LICENSE),
      conformsTo: ref(Object.keys(BIOSCHEMAS)[0]!),
      url: `urn:uplift:definition:${path.slice("definitions/".length, -".json".length)}`,
    });
  }
  for (const entity of described) all.add(entity);
  return {
    "@context": ["https://w3id.org/ro/crate/1.2/context", "https://w3id.org/ro/terms/workflow-run/context"],
    "@graph": all.list(),
  };
}

/** Entities by @id: the first description of a thing stays. */
class Entities {
  readonly #all = new Map<string, Entity>();

  add(entity: Entity): void {
    if (!this.#all.has(entity["@id"])) this.#all.set(entity["@id"], entity);
  }

  list(): Json[] {
    return [...this.#all.values()];
  }
}

const ref = (id: string) => ({ "@id": id });

/** The profile wants offsets spelt out. */
const instant = (created: string) => created.replace(/Z$/, "+00:00");

/** JSON-LD of crates has no lists of one. */
const one = (list: readonly Json[]): Json => list.length === 1 ? list[0]! : list;

const newest = (runs: readonly BundledRun[]) =>
  runs.flatMap(({ stages }) => stages.map(({ outcome }) => outcome.created)).sort().at(-1)!;

/** A run and its stages as actions; returns their @ids. */
function runActions(run: BundledRun, all: Entities): string[] {
  const { record: { plan, result }, stages } = run;
  const id = `#run-${plan.definition}-${plan.seed}`;
  const seed = `${id}-seed`;
  all.add({ "@id": seed, "@type": "PropertyValue", name: "seed", value: plan.seed });
  const set = plan.settings.map(({ path, value }, i) => {
    const entity = {
      "@id": `${id}-setting-${i}`,
      "@type": "PropertyValue",
      name: path,
      value: JSON.stringify(value),
    };
    all.add(entity);
    return entity["@id"];
  });
  const results = stages.flatMap(({ outcome }) => Object.values(outcome.outputs).map(({ digest }) => digest));
  all.add({
    "@id": id,
    "@type": "CreateAction",
    name: `${plan.experiment} with seed ${plan.seed}`,
    description: `Result ${result}`,
    instrument: ref(places.definition(plan.definition)),
    agent: ref(AGENT),
    actionStatus: "http://schema.org/CompletedActionStatus",
    endTime: instant(newest([run])),
    object: one([seed, ...set].map(ref)),
    result: one([...new Set(results)].map((digest) => ref(places.object(digest)))),
  });
  return [id, ...stages.map((stage) => stageAction(stage, all))];
}

function stageAction({ stage, key, outcome }: BundledStage, all: Entities): string {
  const id = `#stage-${key.key}`;
  const tool = `urn:uplift:stage:${stage.entry}:${key.preimage.code}`;
  const inputs = Object.values(key.preimage.inputs).flat();
  all.add({
    "@id": tool,
    "@type": "SoftwareApplication",
    name: stage.entry,
    description: `The code that ${stage.entry} reaches; its modules lie under sources/`,
    version: key.preimage.code,
    url: `urn:uplift:module:${stage.entry}`,
  });
  all.add({
    "@id": `${id}-parameters`,
    "@type": "PropertyValue",
    name: "parameters",
    value: JSON.stringify({ ...Object(key.preimage.parameters), seed: stage.seed }),
  });
  all.add({
    "@id": id,
    "@type": "CreateAction",
    name: `Stage ${outcome.name}`,
    description: `Key ${key.key}; ${places.statement(key.key)} is its in-toto statement`,
    instrument: ref(tool),
    agent: ref(AGENT),
    actionStatus: "http://schema.org/CompletedActionStatus",
    endTime: instant(outcome.created),
    object: one([...[...new Set(inputs)].map(places.object), `${id}-parameters`].map(ref)),
    result: one(Object.values(outcome.outputs).map(({ digest }) => ref(places.object(digest)))),
  });
  for (const [name, { digest, bytes, mediaType }] of Object.entries(outcome.outputs)) {
    all.add({
      "@id": places.object(digest),
      "@type": "File",
      name: `${outcome.name}/${name}`,
      description: `Output "${name}" (${stage.outputs[name]}) of stage "${outcome.name}"`,
      encodingFormat: mediaType,
      contentSize: String(bytes),
      sha256: digest.slice("sha256:".length),
    });
  }
  return id;
}

/** Modules by the places of their texts. */
const sourcePaths = (runs: readonly BundledRun[]) =>
  new Map(
    runs.flatMap(({ stages }) => stages.flatMap(({ key }) => Object.entries(key.modules)))
      .map(([module, digest]) => [places.source(digest), module]),
  );

/** What is known of a file by its place. */
function describeFiles(files: ReadonlyMap<string, number>, modules: ReadonlyMap<string, string>): Entity[] {
  const kinds: readonly (readonly [RegExp, string, string])[] = [
    [/^README\.md$/, "text/markdown", "What lies where, for people"],
    [/^uplift-export\.json$/, "application/json", "Manifest for exp import"],
    [/^runs\//, "application/json", "Record of a run: its plan, keys and result"],
    [/\/key\.json$/, "application/json", "Key of a stage and the document it is the hash of"],
    [/^outcomes\/.*\.json$/, "application/json", "Outcome of a stage: outputs, duration, budget, machine"],
    [/^outcomes\/.*\.log$/, "text/plain", "Log of a stage"],
    [/^statements\//, "application/vnd.in-toto+json", "in-toto statement of a stage, SLSA provenance"],
    [/^sources\//, "text/plain", "Text of a module that a stage ran"],
    [/\.svg$/, "image/svg+xml", "Figure of a report"],
    [/\.md$/, "text/markdown", "Report of a run"],
    [/\.json$/, "application/json", "Report of a run"],
  ];
  return [...files].map(([path, bytes]) => {
    const [, encodingFormat, description] = kinds.find(([pattern]) => pattern.test(path)) ??
      [null, "application/octet-stream", "Object"];
    const about = path === FILES.readme ? { about: ref("./") } : {};
    return {
      "@id": path,
      "@type": "File",
      name: modules.get(path) ?? path,
      description,
      encodingFormat,
      contentSize: String(bytes),
      ...about,
    };
  });
}
