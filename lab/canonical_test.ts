import assert from "node:assert/strict";
import { canonical, documentHash, type Json } from "./canonical.ts";

Deno.test("canonical() orders names and writes numbers as RFC 8785 does", () => {
  // RFC 8785, section 3.2.3 and appendix B.
  assert.equal(canonical({ b: 1, a: [1e30, 4.5, 2e-3, 1e-27] }), '{"a":[1e+30,4.5,0.002,1e-27],"b":1}');
  assert.equal(canonical({ "\u20ac": "€$", "\r": null, "1": true }), '{"\\r":null,"1":true,"€":"€$"}');
});

Deno.test("canonical() refuses what JSON would lose or change, and says where", () => {
  const refused: [unknown, RegExp][] = [
    [{ a: [0, NaN] }, /Cannot hash \$\.a\[1\]: NaN has no form in canonical JSON/],
    [{ a: -0 }, /Cannot hash \$\.a: -0/],
    [{ a: Infinity }, /Cannot hash \$\.a: Infinity/],
    [{ a: undefined }, /Cannot hash \$\.a: undefined/],
    [{ a: 1n }, /Cannot hash \$\.a: bigint/],
    [{ a: new Date(0) }, /Cannot hash \$\.a: Date/],
    [[new Float32Array(1)], /Cannot hash \$\[0\]: Float32Array/],
  ];
  for (const [value, message] of refused) assert.throws(() => canonical(value as Json), message);
});

Deno.test("documentHash() is SHA-256 of the canonical text", () => {
  // printf '{}' | sha256sum
  assert.equal(documentHash({}), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  assert.equal(documentHash({ a: 1, b: 2 }), documentHash({ b: 2, a: 1 }));
});
