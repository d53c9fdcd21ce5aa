/**
 * What a LIBERO task is, read from its description in BDDL (Srivastava et al. 2021, "BEHAVIOR"), so that planning an
 * experiment starts no Python. Reads what `libero/envs/bddl_utils.py` of hf-libero 0.1.4 reads, and refuses the rest.
 */

/** A list of words and lists. */
type Expression = string | readonly Expression[];

/** What a task description says of its objects. */
export interface TaskDescription {
  /** The instruction in the file. Policies are given another one: see libero_tasks.ts. */
  readonly language: string;
  /** Names of the movable objects. */
  readonly movable: readonly string[];
  /** Names of the fixtures that a reset places: cabinets and stoves, not the table or floor they stand on. */
  readonly fixtures: readonly string[];
  /** Regions that the goal names, e.g. the inside of a drawer. */
  readonly regions: readonly string[];
  /** Arguments of the goal's first predicate; a predicate of one argument gives both. */
  readonly roles: { readonly target: string; readonly goal: string };
}

/**
 * Reads a task description.
 *
 * @throws {SyntaxError} when `text` is none
 */
export function readTaskDescription(text: string): TaskDescription {
  const sections = new Map(
    parse(text).filter((part) => Array.isArray(part)).map(([name, ...rest]) => [name, rest]),
  );
  const section = (name: string): readonly Expression[] => {
    const found = sections.get(name);
    if (!found) throw new SyntaxError(`Cannot read a task description without (${name} ...)`);
    return found;
  };
  const movable = declared(section(":objects"));
  // The arena (a table, the floor) is declared as a fixture too; only real ones are placed by the initial state.
  const placed = new Set(section(":init").map((predicate) => predicate[1]));
  const fixtures = declared(section(":fixtures")).filter((name) => placed.has(name));
  const goals = predicates(section(":goal"));
  const first = goals[0];
  if (!first) throw new SyntaxError("Cannot read a task description whose goal has no predicate");
  const named = [...new Set(goals.flat())];
  return {
    language: section(":language").join(" "),
    movable,
    fixtures,
    regions: named.filter((name) => !movable.includes(name) && !fixtures.includes(name)),
    roles: { target: first[0]!, goal: first.at(-1)! },
  };
}

/** The parts of `(define ...)`. Like bddl 1.0.1's `scan_tokens`: no case, comments from ";" to the end of a line. */
function parse(text: string): readonly Expression[] {
  const open: Expression[][] = [[]];
  for (const [token] of text.replace(/;.*$/gm, "").toLowerCase().matchAll(/[()]|[^\s()]+/g)) {
    if (token === "(") open.push([]);
    else if (token === ")") {
      const closed = open.pop()!;
      if (open.length === 0) throw new SyntaxError('Cannot read a task description with a ")" too many');
      open.at(-1)!.push(closed);
    } else open.at(-1)!.push(token);
  }
  if (open.length > 1) {
    throw new SyntaxError('Cannot read a task description that lacks a ")": is it cut off?');
  }
  const [definition] = open[0]!;
  if (!Array.isArray(definition) || definition[0] !== "define") {
    throw new SyntaxError('Cannot read a task description that does not start with "(define"');
  }
  return definition.slice(1);
}

/** Names of "a b - type c - type". */
function declared(words: readonly Expression[]): string[] {
  return words.filter((word, i): word is string =>
    typeof word === "string" && word !== "-" && words[i - 1] !== "-"
  );
}

/** Arguments of the predicates in a goal, however they are joined. */
function predicates(parts: readonly Expression[]): string[][] {
  return parts.filter((part) => typeof part !== "string").flatMap((part) => {
    const rest = part.slice(1);
    const words = rest.filter((word) => typeof word === "string");
    return words.length > 0 ? [words] : predicates(rest);
  });
}
