/** `exp fsck`: re-hashes everything in the store. */
import { fsck } from "../lab/fsck.ts";
import type { Session } from "./session.ts";
import { size } from "./table.ts";

/** Checks the store; fails when anything is damaged or missing, and lists it. */
export function fsckCommand({ store, json }: Session): number {
  const checked = fsck(store);
  const { objects, bytes, outcomes, checkpoints, damage } = checked;
  if (json) {
    const digests = damage.filter(({ kind }) => kind === "object").map(({ name }) => name);
    console.log(JSON.stringify({ clean: damage.length === 0, ...checked, digests }, null, 2));
  } else {
    for (const { kind, name, problem, stages, quarantined } of damage) {
      const where = stages.length > 0 ? ` (${stages.join(", ")})` : "";
      console.log(`${problem} ${kind} ${name}${where}${quarantined ? `: moved to ${quarantined}` : ""}`);
    }
    const checkedText = `${objects} objects (${
      size(bytes)
    }), ${outcomes} outcomes, ${checkpoints} checkpoints`;
    const verdict = damage.length === 0 ? "clean" : `${damage.length} damaged, the next run makes them again`;
    console.log(`${checkedText}: ${verdict}`);
  }
  return damage.length === 0 ? 0 : 1;
}
