/**
 * A small TypeScript lexer: source text as the tokens that can change what it does. Comments, layout and type-only
 * imports are dropped, so that mending a comment reruns nothing. It errs on the side of keeping text: a mistaken guess
 * (regular expression or division) keeps both apart from a change of code, and at worst lets a comment count.
 */

const PUNCTUATORS = [
  ">>>=",
  "...",
  "===",
  "!==",
  "**=",
  "<<=",
  ">>=",
  ">>>",
  "&&=",
  "||=",
  "??=",
  "=>",
  "==",
  "!=",
  "<=",
  ">=",
  "&&",
  "||",
  "??",
  "?.",
  "++",
  "--",
  "+=",
  "-=",
  "*=",
  "/=",
  "%=",
  "&=",
  "|=",
  "^=",
  "<<",
  ">>",
  "**",
];
// An operand cannot end with these, so a slash after them starts a regular expression.
const OPERATOR_WORDS = new Set([
  "return",
  "typeof",
  "instanceof",
  "in",
  "of",
  "new",
  "delete",
  "void",
  "throw",
  "case",
  "do",
  "else",
  "yield",
  "await",
  "extends",
  "default",
]);
// A line break after these ends the statement: the one place where layout is code.
const RESTRICTED = new Set(["return", "break", "continue", "throw", "yield", "async"]);
const WORD = /[\p{ID_Start}$_#@\\][\p{ID_Continue}$\u200c\u200d\\]*/uy;
const NUMBER = /(?:0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?[\d_]+)?)n?|\d[\d_]*\.?/y;
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[\w]*/y;

/**
 * The tokens of a module. A token is its source text; a line break that ends a statement without a semicolon
 * (after `return` and its kind, before `++` and `--`) is the token "\n".
 *
 * @throws {SyntaxError} when a string, template or comment does not end
 */
export function tokens(source: string): string[] {
  return withoutTypeImports(new Lexer(source.replaceAll("\r\n", "\n")).read());
}

class Lexer {
  readonly #text: string;
  readonly #out: string[] = [];
  /** For each open parenthesis: whether a statement follows its close, as after `if (...)`. */
  readonly #parentheses: boolean[] = [];
  #afterCondition = false;
  #at = 0;
  #newline = false;

  constructor(text: string) {
    this.#text = text.startsWith("#!") ? text.slice(text.indexOf("\n") + 1 || text.length) : text;
  }

  read(): string[] {
    this.#code(false);
    return this.#out;
  }

  /** Reads to the end of the text or, in a template's `${`, to its closing brace. */
  #code(nested: boolean): void {
    let braces = 0;
    while (true) {
      this.#blank();
      if (this.#at >= this.#text.length) {
        if (nested) throw new SyntaxError("Cannot read a template literal: it does not end");
        return;
      }
      const c = this.#text[this.#at]!;
      if (nested && c === "}" && braces === 0) return;
      if (c === "{") braces++;
      if (c === "}") braces--;
      if (c === '"' || c === "'") this.#push(this.#string(c));
      else if (c === "`") this.#template();
      else if (c === "/" && this.#regexAllowed()) this.#push(this.#match(REGEX) ?? "/");
      else this.#push(this.#plain(c));
    }
  }

  #plain(c: string): string {
    if (/[\d.]/.test(c)) {
      const number = c !== "." || /\d/.test(this.#text[this.#at + 1] ?? "") ? this.#match(NUMBER) : undefined;
      if (number) return number;
    }
    const word = this.#match(WORD);
    if (word) return word;
    const long = PUNCTUATORS.find((p) => this.#text.startsWith(p, this.#at));
    // ">>" may close two type arguments: single characters keep `A<B<C>>` and `A<B<C> >` equal.
    const token = long && !/^>+$/.test(long) ? long : String.fromCodePoint(this.#text.codePointAt(this.#at)!);
    this.#at += token.length;
    return token;
  }

  #push(token: string): void {
    const previous = this.#out.at(-1);
    if (this.#newline && (RESTRICTED.has(previous ?? "") || token === "++" || token === "--")) {
      this.#out.push("\n");
    }
    if (token === "(") this.#parentheses.push(/^(if|while|for|with|await)$/.test(previous ?? ""));
    this.#afterCondition = token === ")" && this.#parentheses.pop() === true;
    this.#newline = false;
    // A trailing comma is layout, as the formatter adds one with a line break; an elision such as `[,]` is not.
    if (/^[)\]}]$/.test(token) && previous === "," && !/^[,[]$/.test(this.#out.at(-2) ?? "")) this.#out.pop();
    this.#out.push(token);
  }

  #blank(): void {
    const text = this.#text;
    for (; this.#at < text.length; this.#at++) {
      const c = text[this.#at]!;
      if (c === "\n") this.#newline = true;
      else if (c === "/" && text[this.#at + 1] === "/") {
        const end = text.indexOf("\n", this.#at);
        this.#at = (end < 0 ? text.length : end) - 1;
      } else if (c === "/" && text[this.#at + 1] === "*") {
        const end = text.indexOf("*/", this.#at + 2);
        if (end < 0) throw new SyntaxError("Cannot read a comment: it does not end");
        if (text.slice(this.#at, end).includes("\n")) this.#newline = true;
        this.#at = end + 1;
      } else if (!/[\s\ufeff]/.test(c)) return;
    }
  }

  #regexAllowed(): boolean {
    const previous = this.#out.at(-1);
    if (previous === undefined || OPERATOR_WORDS.has(previous) || this.#afterCondition) return true;
    return !/[\p{ID_Continue}$)\]}"'`/]$/u.test(previous) && previous !== "++" && previous !== "--";
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found) this.#at += found.length;
    return found;
  }

  #string(quote: string): string {
    const start = this.#at++;
    while (this.#text[this.#at] !== quote) {
      if (this.#at >= this.#text.length || this.#text[this.#at] === "\n") {
        throw new SyntaxError(
          `Cannot read a string: it does not end (${this.#text.slice(start, start + 20)})`,
        );
      }
      this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    }
    return this.#text.slice(start, ++this.#at);
  }

  #template(): void {
    let start = this.#at++;
    while (this.#text[this.#at] !== "`") {
      if (this.#at >= this.#text.length) {
        throw new SyntaxError("Cannot read a template literal: it does not end");
      }
      if (this.#text.startsWith("${", this.#at)) {
        this.#push(this.#text.slice(start, this.#at += 2));
        this.#code(true);
        start = this.#at++;
      } else this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    }
    this.#push(this.#text.slice(start, ++this.#at));
  }
}

/** Drops `import type ...` and `export type { ... }` statements: they are gone before the code runs. */
function withoutTypeImports(all: string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < all.length;) {
    const end = typeImportEnd(all, i);
    if (end > i) i = end;
    else kept.push(all[i++]!);
  }
  return kept;
}

/** One past the type-only import or export that starts at `i`, or `i` when none does. */
function typeImportEnd(all: string[], i: number): number {
  const [word, type, next, after] = all.slice(i, i + 4);
  if (type !== "type" || all[i - 1] === ".") return i;
  const isImport = word === "import" && next !== "from" && next !== "," && next !== "=" ||
    word === "import" && next === "from" && after === "from";
  const isExport = word === "export" && (next === "{" || next === "*");
  if (!isImport && !isExport) return i;
  let end = i + 2;
  if (all[end] === "{") end = all.indexOf("}", end) + 1;
  else if (isImport || next === "*") { while (end < all.length && all[end] !== "from") end++; }
  if (all[end] === "from") end += 2;
  if (all[end] === "with") end = all.indexOf("}", end) + 1;
  return all[end] === ";" ? end + 1 : end;
}
