/** Errors whose message is all a person needs: tasks print them as one line, without a stack trace. */

/** Wrong use: an unknown name, path or value. Exit code 2. */
export class UsageError extends Error {
  /** "UsageError". */
  override name = "UsageError";
}

/** The store cannot be read or written. Exit code 1. */
export class StoreError extends Error {
  /** "StoreError". */
  override name = "StoreError";
}

/** A stage gave up. `log` is the file that holds its stack trace. Exit code 1. */
export class StageError extends Error {
  /** "StageError". */
  override name = "StageError";
  /** The error with its one line, and the path of the log that tells more. */
  constructor(message: string, readonly log: string) {
    super(message);
  }
}

/** A stage stopped because the run was interrupted. Exit code 130. */
export class Interruption extends Error {
  /** "Interruption". */
  override name = "Interruption";
}

/** One line that says what a thrown value says, in this house's form: of two that came together, what went wrong first. */
export function firstLine(thrown: unknown): string {
  if (thrown instanceof SuppressedError) return firstLine(thrown.suppressed);
  const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return message.split("\n", 1)[0]!.replace(/\.$/, "");
}
