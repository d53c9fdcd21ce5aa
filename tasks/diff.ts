/** `exp diff`: two runs compared at five levels, only what differs. */
import { UsageError } from "../lab/errors.ts";
import type { Request } from "../lab/overrides.ts";
import { findSubject, isHash } from "../lab/subject.ts";
import { difference, isSame } from "../results/difference.ts";
import { consoleDifference, markdownDifference } from "../results/difference_text.ts";
import { oneRequest, type RequestOptions, type Session } from "./session.ts";

/** Options of `diff` alone. */
export interface DiffOptions extends RequestOptions {
  readonly setB?: readonly string[] | undefined;
  readonly markdown?: true | undefined;
}

/** Compares what two names or hashes stand for. Requests apply to both, `setB` to the second alone. */
export async function diffCommand(
  a: string,
  b: string,
  { setB = [], markdown, ...options }: DiffOptions,
  session: Session,
): Promise<number> {
  const { store, catalog, json } = session;
  if (json && markdown) {
    throw new UsageError("Cannot print JSON and Markdown at once: choose --json or --markdown");
  }
  const request = await oneRequest(options);
  const asked: Request = { ...request, set: [...request.set, ...setB] };
  const { device, ...others } = options;
  const given = device !== "cpu" ||
    Object.values(others).some((option) => typeof option === "string" || Array.isArray(option));
  if (isHash(b, catalog) && (setB.length > 0 || (given && isHash(a, catalog)))) {
    throw new UsageError(`Cannot change hyperparameters of stored run "${b}": name its experiment`);
  }
  const found = difference(
    await findSubject(a, request, session),
    await findSubject(b, asked, session),
    store,
  );
  if (json) console.log(JSON.stringify({ same: isSame(found), ...found }, null, 2));
  else if (markdown) console.log(markdownDifference(found).trimEnd());
  else console.log(consoleDifference(found));
  return 0;
}
