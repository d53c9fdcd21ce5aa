/** `exp claims`: judges stated claims on stored results. Nothing is run. */
import type { Planned } from "../lab/catalog.ts";
import { documentHash, type Json } from "../lab/canonical.ts";
import { names } from "../lab/durable.ts";
import { firstLine, UsageError } from "../lab/errors.ts";
import { repository } from "../lab/module_graph.ts";
import { suggestion } from "../lab/nearest.ts";
import type { Request } from "../lab/overrides.ts";
import { ofRun, type Subject } from "../lab/subject.ts";
import type { Plan } from "../lab/plan.ts";
import { status } from "../lab/status.ts";
import type { Store } from "../lab/store.ts";
import type { Claim } from "../results/claim.ts";
import { judge, labelsOf, type Measured, type Verdict, wanted } from "../results/claim_verdict.ts";
import type { Session } from "./session.ts";
import { table } from "./table.ts";

/** A judged claim, as `--json` prints it. */
interface Judged extends Verdict {
  readonly name: string;
  readonly statement: string;
  /** SHA-256 of the claim: another one is another claim. */
  readonly digest: string;
  readonly claim: Claim;
  /** Whether all that it rests on was measured on or after the day it was stated; null while something is missing. */
  readonly foretold: boolean | null;
  /** Seeds whose newest result is of code that has changed since. */
  readonly earlierCode: readonly number[];
}

/** What is known of one seed, and when it was measured. */
interface Found extends Measured {
  readonly created: readonly string[];
  readonly earlier: boolean;
}

/** Judges all claims of a folder, or those named; fails when one fails. */
export async function claimsCommand(
  wantedNames: readonly string[],
  options: { readonly claims: string },
  session: Session,
): Promise<number> {
  const claims = await load(options.claims);
  for (const name of wantedNames) {
    if (!claims.has(name)) {
      throw new UsageError(`Cannot find claim "${name}"${suggestion(name, claims.keys())}`);
    }
  }
  const judged: Judged[] = [];
  const planned = new Map<string, Promise<Planned>>();
  const plan: Planner = (claim, seed) => {
    const asked = { ...request(claim), seed };
    const id = JSON.stringify([claim.experiment, asked]);
    const known = planned.get(id) ?? session.catalog.plan(claim.experiment, asked, session.store);
    planned.set(id, known);
    return known;
  };
  for (const [name, claim] of claims) {
    if (wantedNames.length === 0 || wantedNames.includes(name)) {
      judged.push(await judgeStored(claim, plan, session.store));
    }
  }
  if (session.json) console.log(JSON.stringify({ claims: judged }, null, 2));
  else print(judged);
  return judged.some(({ verdict }) => verdict === "fails") ? 1 : 0;
}

async function load(folder: string): Promise<Map<string, Claim>> {
  const url = new URL(folder.replace(/\/*$/, "/"), repository);
  const claims = new Map<string, Claim>();
  for (const file of names(decodeURIComponent(url.pathname))) {
    if (!/^[a-z0-9_]+\.ts$/.test(file) || file.endsWith("_test.ts")) continue;
    const name = file.slice(0, -".ts".length).replaceAll("_", "-");
    const claim = await import(new URL(file, url).href).then(
      (module) => module.default as Claim,
      (error) => {
        throw new Error(`Cannot load claim ${folder}/${file}: ${firstLine(error)}`);
      },
    );
    if (claim?.name !== name) {
      throw new Error(
        `Cannot load claim ${folder}/${file}: it is named "${claim?.name}", the file says "${name}"`,
      );
    }
    claims.set(name, claim);
  }
  if (claims.size === 0) throw new UsageError(`Cannot judge claims of ${folder}: there are none`);
  return claims;
}

/** Plans are shared by the claims about one experiment. */
type Planner = (claim: Claim, seed: number) => Promise<Planned>;

async function judgeStored(claim: Claim, planner: Planner, store: Store): Promise<Judged> {
  const { name, statement, stated, seeds, experiment, version } = claim;
  const found: Found[] = [];
  let outdated: string | undefined;
  for (const seed of seeds) {
    const { plan, graph } = await planner(claim, seed);
    const unknown = labelsOf(claim).find((label) => !(label in plan.evaluations));
    if (unknown !== undefined) {
      throw new Error(`Cannot judge claim "${name}": ${experiment} has no evaluation "${unknown}"`);
    }
    if (plan.version !== version) {
      outdated = `it speaks of version ${version}, ${experiment} is at ${plan.version}`;
      break;
    }
    const now = measured(claim, seed, plan, status(plan, graph, store), store);
    found.push(isComplete(claim, now) ? now : earlier(claim, seed, plan, store) ?? now);
  }
  const judgement = judge(claim, outdated === undefined ? found : []);
  const reason = outdated ?? judgement.reason;
  const created = found.flatMap((each) => each.created).sort();
  const complete = outdated === undefined && found.every((each) => isComplete(claim, each));
  return {
    name,
    statement,
    ...judgement,
    reason,
    foretold: complete ? created[0]!.slice(0, 10) >= stated : null,
    earlierCode: found.filter(({ earlier }) => earlier).map(({ seed }) => seed),
    digest: documentHash(JSON.parse(JSON.stringify(claim)) as Json),
    claim,
  };
}

function request({ preset, settings = {} }: Claim): Request {
  const set = Object.entries(settings).map(([path, value]) =>
    `${path}=${typeof value === "string" ? value : JSON.stringify(value)}`
  );
  return { set, ...(preset === undefined ? {} : { preset }) };
}

function measured(
  claim: Claim,
  seed: number,
  plan: Plan,
  stages: Subject["stages"],
  store: Store,
  earlier = false,
): Found {
  const created: string[] = [];
  const evaluations = Object.fromEntries(
    labelsOf(claim).map((label) => {
      const { stage, output } = plan.evaluations[label]!;
      const outcome = stages.find((each) => each.stage.name === stage)?.outcome;
      const digest = outcome?.outputs[output]?.digest;
      if (!outcome || digest === undefined) return [label, undefined];
      created.push(outcome.created);
      return [label, { digest, bytes: store.objects.read(digest) }];
    }),
  );
  return { seed, evaluations, created, earlier };
}

const isComplete = (claim: Claim, { evaluations }: Measured) =>
  labelsOf(claim).every((label) => evaluations[label] !== undefined);

/** The newest run of the same declaration under code that has changed since. */
function earlier(claim: Claim, seed: number, { definition }: Plan, store: Store): Found | undefined {
  const runs = [...store.runs(), ...store.history().map(({ run }) => run)]
    .filter(({ plan }) => plan.definition === definition && plan.seed === seed)
    .sort((a, b) => a.created < b.created ? 1 : -1);
  for (const run of runs) {
    const found = measured(claim, seed, run.plan, ofRun("", run, store).stages, store, true);
    if (isComplete(claim, found)) return found;
  }
  return undefined;
}

function print(judged: readonly Judged[]): void {
  const rows = judged.map(({ name, verdict, reason, n, claim, foretold, earlierCode }) => [
    name,
    verdict,
    reason,
    wanted(claim),
    "n" in claim ? `${n}/${claim.n}` : "-",
    claim.seeds.join(","),
    [
      `stated ${claim.stated}`,
      ...(foretold === false ? ["measured before that"] : []),
      ...(earlierCode.length > 0 ? ["by earlier code"] : []),
    ].join(", "),
  ]);
  console.log(table(["claim", "verdict", "measured", "wanted", "episodes", "seeds", ""], rows));
  const missing = judged.filter(({ verdict }) => verdict === "not yet measured").map(({ claim }) =>
    command(claim)
  );
  if (missing.length > 0) console.log(`\nTo measure what is missing:\n${[...new Set(missing)].join("\n")}`);
}

/** The command that measures a claim. */
function command(claim: Claim): string {
  const { set, preset } = request(claim);
  return [
    `  exp run ${claim.experiment} --seed ${claim.seeds.join(",")}`,
    ...(preset === undefined ? [] : [`--preset ${preset}`]),
    ...set.map((setting) => `--set ${setting}`),
  ].join(" ");
}
