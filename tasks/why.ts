/** `exp why`: the preimage of a stage's key, and what differs from the nearest earlier one. */
import type { Json } from "../lab/canonical.ts";
import { UsageError } from "../lab/errors.ts";
import { why } from "../lab/why.ts";
import { checkStage } from "./run.ts";
import { oneRequest, type RequestOptions, type Session } from "./session.ts";
import { short } from "./table.ts";

/** Explains the key of NAME/STAGE. */
export async function whyCommand(
  subject: string,
  options: RequestOptions,
  session: Session,
): Promise<number> {
  const { store, catalog, json } = session;
  const [name, stage] = splitSubject(subject);
  if (stage === undefined) {
    throw new UsageError(`Cannot explain "${subject}": name a stage, as in ${name}/STAGE`);
  }
  const request = await oneRequest(options);
  const { plan, graph } = await catalog.plan(name, request, store, (plan) => checkStage(plan, stage));
  const { key, stored, preimage, nearest, differences } = why(plan, stage, graph, store);
  if (json) {
    console.log(JSON.stringify({ stage: subject, key, stored, preimage, nearest, differences }, null, 2));
    return 0;
  }
  console.log(`${subject}: ${key ?? "no key yet"}, ${stored ? "in the store" : "to be made"}\n`);
  console.log(JSON.stringify(preimage, null, 2) + "\n");
  if (!nearest) console.log("No earlier key of this stage");
  else {
    console.log(
      `Nearest earlier key: ${nearest.key} (${nearest.experiment}/${nearest.name}, ${nearest.created})`,
    );
    for (const { field, before, after } of differences) {
      console.log(`  ${field}: ${text(before)} -> ${text(after)}`);
    }
  }
  return 0;
}

/** "NAME/STAGE" in its parts; no stage when there is no slash. */
export function splitSubject(subject: string): [string, string | undefined] {
  const slash = subject.indexOf("/");
  return slash < 0 ? [subject, undefined] : [subject.slice(0, slash), subject.slice(slash + 1)];
}

function text(value: Json | undefined): string {
  if (value === undefined) return "absent";
  return typeof value === "string" && /^(sha256:)?[0-9a-f]{64}$/.test(value)
    ? short(value)
    : JSON.stringify(value);
}
