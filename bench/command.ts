/** Command lines of the benchmarks: options are checked before anything runs, and what goes wrong is one line. */
import { type Device, devices } from "../engine/providers/devices.ts";
import { firstLine, UsageError } from "../lab/errors.ts";

/** An option of a command line. */
export interface Option<T> {
  /** "boolean" takes no value. */
  readonly type: "string" | "boolean";
  /** What holds when it is not given. */
  readonly otherwise: T;
  /** What its text says; undefined where it must be something else. */
  readonly read: (text: string) => T | undefined;
  /** What its text must be. */
  readonly wanted: string;
}

type Options = Readonly<Record<string, Option<unknown>>>;

/** The values of options, by name. */
export type Values<O extends Options> = {
  readonly [N in keyof O]: O[N] extends Option<infer T> ? T : never;
};

/** An option without a value; `--no-NAME` turns it off. */
export function flag(otherwise = false): Option<boolean> {
  return { type: "boolean", otherwise, read: () => undefined, wanted: "without a value" };
}

/** A name or path: any text but an empty one. */
export function text<T extends string | undefined = undefined>(otherwise?: T): Option<string | T> {
  return {
    type: "string",
    otherwise: otherwise as T,
    read: (given) => given || undefined,
    wanted: "a name or path",
  };
}

/** A whole number of at least `least`. */
export function count(otherwise: number, least = 1): Option<number> {
  const read = (given: string) =>
    /^\d{1,15}$/.test(given) && Number(given) >= least ? Number(given) : undefined;
  return { type: "string", otherwise, read, wanted: `a whole number, ${least} or more` };
}

/** One of these names. */
export function oneOf<const N extends string, const T extends N | undefined>(
  names: readonly N[],
  otherwise: T,
): Option<N | T> {
  const read = (given: string) => names.find((name) => name === given);
  return { type: "string", otherwise, read, wanted: `one of ${names.join(", ")}` };
}

/** Several of what another option takes, with commas between. */
export function list<T>(one: Option<T>, otherwise: readonly T[]): Option<readonly T[]> {
  const read = (given: string) => {
    const all = given.split(",").map((part) => one.read(part));
    return all.includes(undefined) ? undefined : all as T[];
  };
  return { type: "string", otherwise, read, wanted: `${one.wanted}, or several with commas between` };
}

/** Where programs run. */
export function device(): Option<Device> {
  return oneOf(Object.keys(devices) as Device[], "cpu");
}

/**
 * What a command line says.
 *
 * @param known words that may stand beside the options
 * @throws {UsageError} when an option or word is unknown, or a value is not what it must be
 */
export function parse<O extends Options>(
  options: O,
  args: readonly string[],
  known: readonly string[] = [],
): { values: Values<O>; words: readonly string[] } {
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(options).map(([name, { otherwise }]) => [name, otherwise]),
  );
  const words: string[] = [];
  // `deno task NAME -- --rounds 7` hands the dashes on.
  const rest = args[0] === "--" ? args.slice(1) : [...args];
  while (rest.length > 0) {
    const arg = rest.shift()!;
    if (!arg.startsWith("--")) {
      if (!known.includes(arg)) {
        const wanted = known.length > 0 ? `it must be one of ${known.join(", ")}` : "only options are taken";
        throw new UsageError(`Cannot use ${JSON.stringify(arg)}: ${wanted}`);
      }
      words.push(arg);
      continue;
    }
    const [, off, name, inline] = /^--(no-)?([^=]*)(?:=(.*))?$/s.exec(arg)!;
    const option = Object.hasOwn(options, name!) ? options[name!]! : undefined;
    if (!option || (off && option.type !== "boolean")) {
      const all = Object.keys(options).map((each) => `--${each}`).join(", ");
      throw new UsageError(`Cannot use ${arg}: the options are ${all}`);
    }
    if (option.type === "boolean") {
      if (inline !== undefined) throw new UsageError(`Cannot use --${name} with a value: it takes none`);
      values[name!] = off === undefined;
      continue;
    }
    const value = inline ?? (rest[0]?.startsWith("--") ? "" : rest.shift() ?? "");
    if (value === "") {
      throw new UsageError(`Cannot use --${name} without a value: it must be ${option.wanted}`);
    }
    const read = option.read(value);
    if (read === undefined) {
      throw new UsageError(`Cannot use --${name} ${value}: it must be ${option.wanted}`);
    }
    values[name!] = read;
  }
  return { values: values as Values<O>, words };
}

/**
 * Runs a benchmark with the options of the command line, then ends the process: with what `main` returns, 0 unless it
 * returns a number; 2 after wrong use, 1 after another error, each said in one line. Only mistakes of the code itself, a
 * `TypeError` or `ReferenceError`, are shown with their stack.
 */
export async function command<O extends Options>(
  options: O,
  main: (values: Values<O>, words: readonly string[]) => Promise<number | void>,
  known: readonly string[] = [],
): Promise<never> {
  let code: number;
  try {
    const { values, words } = parse(options, Deno.args, known);
    code = await main(values, words) ?? 0;
  } catch (error) {
    const bug = error instanceof TypeError || error instanceof ReferenceError;
    console.error(bug ? error.stack : firstLine(error));
    code = error instanceof UsageError ? 2 : 1;
  }
  // Not through the exit handlers of CUDA's libraries; and the runtime's pool would keep the process for a while.
  Deno.exit(code);
}
