import assert from "node:assert/strict";
import { ndarray } from "../ndarray.ts";
import numpy from "./fixtures/normalization.json" with { type: "json" };
import { decodeNormalizations, denormalize, encodeNormalizations, fit, normalize } from "./normalization.ts";
import { quantile } from "./quantile.ts";

const rows = ndarray([37, 4], Float32Array.from(numpy.rows.flat()));

function close(actual: readonly number[], expected: readonly number[], tolerance: number) {
  actual.forEach((x, i) =>
    assert.ok(
      Math.abs(x - expected[i]!) <= tolerance * Math.max(1, Math.abs(expected[i]!)),
      `${x} and ${expected[i]}`,
    )
  );
}

Deno.test("quantile() agrees with NumPy to the last bit", () => {
  const sorted = Float64Array.from(numpy.rows, (row) => row[0]!).sort();
  for (const [q, value] of Object.entries(numpy.quantiles)) assert.equal(quantile(sorted, Number(q)), value);
  assert.throws(() => quantile(sorted, 1.5), { message: "Cannot take quantile 1.5: it must be in [0, 1]" });
});

Deno.test("fit() of z-scores takes NumPy's mean and standard deviation, above the floor", () => {
  const { center, scale, n } = fit(rows, { kind: "z-score", floor: 0.01 });
  assert.equal(n, 37);
  close(center, numpy.mean, 1e-14);
  close(scale, [...numpy.std.slice(0, 3), 0.01], 1e-14);
});

Deno.test("fit() of quantiles sends NumPy's 1 % and 99 % quantiles to -1 and 1", () => {
  const quantiles = fit(rows, { kind: "quantile", floor: [1e-3, 1e-3, 1e-3, 0.5] });
  const ends = normalize(quantiles, ndarray([2, 4], Float32Array.from([...numpy.q01, ...numpy.q99])));
  close([...ends.data.subarray(0, 3)], [-1, -1, -1], 1e-6);
  close([...ends.data.subarray(4, 7)], [1, 1, 1], 1e-6);
  assert.equal(quantiles.scale[3], 0.5);
});

Deno.test("denormalize() undoes normalize(), except beyond the clip", () => {
  const z = fit(rows, { kind: "z-score", floor: 0.01 });
  close([...denormalize(z, normalize(z, rows)).data], [...rows.data], 1e-6);
  const clipped = normalize({ ...z, clip: 0.5 }, rows).data;
  assert.equal(Math.max(...clipped.map(Math.abs)), 0.5);
});

Deno.test("decodeNormalizations() reads what encodeNormalizations() wrote", () => {
  const z = fit(rows, { kind: "z-score", floor: 0.01, clip: 8 });
  const bytes = encodeNormalizations({ state: z, action: fit(rows, { kind: "quantile", floor: 0.01 }) });
  assert.deepEqual(decodeNormalizations(bytes)["state"], z);
  assert.deepEqual(encodeNormalizations(decodeNormalizations(bytes)), bytes);
});

Deno.test("decodeNormalizations() refuses a scale of zero", () => {
  const text = '{"state":{"kind":"z-score","n":1,"center":[0],"scale":[0],"clip":null}}';
  assert.throws(() => decodeNormalizations(new TextEncoder().encode(text)), {
    message:
      'Cannot read normalization "state": it must have kind, n, equally long center and positive scale, and clip',
  });
});

Deno.test("fit() and normalize() refuse what they cannot use", () => {
  assert.throws(() => fit(ndarray([3]), { kind: "z-score", floor: 1 }), {
    message: "Cannot fit a normalization on shape [3]: it must be [N, D] with N, D >= 1",
  });
  assert.throws(() => fit(ndarray([1, 1], Float32Array.of(NaN)), { kind: "z-score", floor: 1 }), {
    message: "Cannot fit a normalization on NaN in row 0, dimension 0: it must be finite",
  });
  assert.throws(() => fit(rows, { kind: "z-score", floor: 0 }), {
    message: "Cannot fit dimension 0 with floor 0: it must be positive",
  });
  assert.throws(() => normalize(fit(rows, { kind: "z-score", floor: 1 }), ndarray([2, 3])), {
    message: "Cannot normalize shape [2,3]: its last axis must have 4 dimensions",
  });
});
