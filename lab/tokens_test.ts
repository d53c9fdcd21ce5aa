import assert from "node:assert/strict";
import { tokens } from "./tokens.ts";

const same = (a: string, b: string) => assert.deepEqual(tokens(a), tokens(b));
const differ = (a: string, b: string) => assert.notDeepEqual(tokens(a), tokens(b));

Deno.test("tokens() drops comments and layout", () => {
  same("/** doc */ const a = 1; // one\n\n", "const a=1;");
  same("a(\n  b,\n  c\n)", "a(b, c)");
  same("const a = 1;\r\n", "const a = 1;\n");
  same("f(\n  a,\n  [b,],\n)", "f(a, [b])");
  differ("[,]", "[]");
  same("#!/usr/bin/env deno\nlet x", "let x");
});

Deno.test("tokens() keeps what looks like a comment inside strings, templates and regular expressions", () => {
  differ('const a = "http://x";', 'const a = "http://y";');
  differ("const a = '/* x */';", "const a = '/* y */';");
  differ("const a = `// ${b} x`;", "const a = `// ${b} y`;");
  differ("const a = /[/]\\/* x/g;", "const a = /[/]\\/* y/g;");
  differ('if (a) /"/.test(b); c();', 'if (a) /"/.test(b); d();');
  assert.deepEqual(tokens("a = b / c / d; // e"), ["a", "=", "b", "/", "c", "/", "d", ";"]);
  assert.deepEqual(tokens("f(x) / 2 /* half */"), ["f", "(", "x", ")", "/", "2"]);
});

Deno.test("tokens() reads nested templates, dropping only the comments of their code", () => {
  same("`a${ /* c */ f(`b${x}`, { y: 1 }) }  d`", "`a${f(`b${x}`,{y:1})}  d`");
  differ("`a ${x} b`", "`a ${x}  b`");
});

Deno.test("tokens() drops type-only imports and exports, and nothing beside them", () => {
  same('import type { A } from "./a.ts";\nlet x;', "let x;");
  same('import type A from "./a.ts";\nlet x;', "let x;");
  same('export type { A } from "./a.ts";\nlet x;', "let x;");
  same('import type * as a from "./a.ts"\nlet x;', "let x;");
  differ('import { type A, b } from "./a.ts";', 'import { type A } from "./a.ts";');
  differ('import type from "./a.ts"; let x;', "let x;");
  differ("export type A = 1;", "export type A = 2;");
  differ('import { a } from "./a.ts"; let x;', "let x;");
});

Deno.test("tokens() keeps a line break where it is code", () => {
  differ("return\nx", "return x");
  differ("a\n++b", "a ++ b");
  same("return x\n;", "return x;");
});

Deno.test("tokens() tells numbers and operators apart", () => {
  differ("a = 1.5", "a = 1.50");
  assert.deepEqual(tokens("1e-3+0xff-1_000n/.5"), ["1e-3", "+", "0xff", "-", "1_000n", "/", ".5"]);
  assert.deepEqual(tokens("a?.b ?? c ** 2"), ["a", "?.", "b", "??", "c", "**", "2"]);
  same("let a: A<B<C>>;", "let a: A<B<C> >;");
});

Deno.test("tokens() refuses what does not end", () => {
  assert.throws(() => tokens("/* a"), /Cannot read a comment: it does not end/);
  assert.throws(() => tokens("`a ${b"), /Cannot read a template literal: it does not end/);
  assert.throws(() => tokens('"a\n"'), /Cannot read a string: it does not end/);
});
