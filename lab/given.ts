/** Inputs that no stage of a plan makes: objects that are in the store already, named by their digests. */
import { UsageError } from "./errors.ts";
import type { Given } from "./experiment.ts";
import type { PlannedStage, Source } from "./plan.ts";
import { type Artifact, mediaTypes } from "./stage.ts";
import type { Store } from "./store.ts";

/** Whether an input is an object that was named, not the output of a stage. */
export function isGiven(source: Source): source is Given {
  return "given" in source;
}

/** Everything a stage reads, in the order of its roles. */
export function sources({ inputs }: Pick<PlannedStage, "inputs">): Source[] {
  return Object.values(inputs).flat() as Source[];
}

/** What a stage reads, role by role, through `f`: lists stay lists. */
export function mapSources<T>(
  { inputs }: Pick<PlannedStage, "inputs">,
  f: (source: Source) => T,
): Record<string, T | readonly T[]> {
  const mapped = Object.entries(inputs).map(([role, from]) =>
    [role, from instanceof Array ? from.map(f) : f(from as Source)] as const
  );
  return Object.fromEntries(mapped);
}

/** The objects that a stage was given. */
export function givenTo(stage: Pick<PlannedStage, "inputs">): Given[] {
  return sources(stage).filter(isGiven);
}

/**
 * A given object as a stage reads it.
 *
 * @throws {UsageError} when the store does not have it, or its bytes are not those of its digest
 */
export function givenArtifact({ given: digest, kind }: Given, store: Store): Artifact {
  const path = store.objects.path(digest);
  const bytes = sizeOf(path);
  if (bytes === undefined) {
    throw new UsageError(
      `Cannot find ${kind} ${digest}: this store has no such object; exp show NAME lists the digests of what a ` +
        "run made, exp import takes them from elsewhere",
    );
  }
  if (store.objects.check({ digest, bytes }) !== "whole") {
    throw new UsageError(`Cannot read ${kind} ${digest}: its bytes do not match, run exp fsck`);
  }
  return { path, digest, bytes, mediaType: mediaTypes[kind] };
}

/**
 * Makes sure that whatever some stages were given is in the store.
 *
 * @throws {UsageError} when something is not; the message says how to find digests
 */
export function assertGiven(stages: readonly PlannedStage[], store: Store): void {
  for (const each of stages.flatMap(givenTo)) givenArtifact(each, store);
}

function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
