import assert from "node:assert/strict";
import { stream } from "../random.ts";
import { assertClose, readFixture } from "../tests/fixtures/numerics.ts";
import { advantages, drawContexts, expectedMixed, isMixed, sampling } from "./ript.ts";

const { groups } = readFixture("ript");

Deno.test("advantages() are the reference's and sum to 0", () => {
  const [rows, k] = groups!["rewards"]!.shape as [number, number];
  for (let row = 0; row < rows; row++) {
    const of = (name: string) => [...groups![name]!.data.subarray(row * k, (row + 1) * k)];
    const found = advantages(of("rewards"));
    assertClose(found, of("advantages"), 1e-8, `group ${row}`); // the fixture has nine digits
    assert.ok(Math.abs(found.reduce((a, b) => a + b, 0)) < 1e-12);
  }
});

Deno.test("advantages() leave one out, by brute force", () => {
  const draws = stream(1, "rewards");
  for (let k = 2; k < 10; k++) {
    const rewards = Array.from({ length: k }, () => draws.normal());
    const wanted = rewards.map((own, i) => {
      const others = rewards.filter((_, j) => j !== i);
      return own - others.reduce((a, b) => a + b, 0) / others.length;
    });
    assertClose(advantages(rewards), wanted, 1e-12, `${k} rollouts`);
    assert.ok(Math.abs(advantages(rewards).reduce((a, b) => a + b, 0)) < 1e-12);
  }
});

Deno.test("with s of K successes a success is worth 1 - (s - 1) / (K - 1), a failure -s / (K - 1)", () => {
  assert.deepEqual(advantages([1, 0, 1, 0, 0]), [0.75, -0.5, 0.75, -0.5, -0.5]);
});

for (const rewards of [[], [1]]) {
  Deno.test(`advantages() of ${rewards.length} rollouts are refused`, () => {
    assert.throws(() => advantages(rewards), {
      name: "RangeError",
      message: `Cannot leave one out of ${rewards.length} rollouts: a group needs at least 2`,
    });
  });
}

Deno.test("sampling refuses fewer than two rollouts a context", () => {
  assert.throws(() => sampling.parse({ rollouts: 1 }), /rollouts/);
  assert.equal(sampling.parse({}).rollouts, 8);
});

Deno.test("expectedMixed() is the share of mixed groups, by enumeration", () => {
  const [p, k] = [0.3, 5];
  let share = 0;
  for (let bits = 0; bits < 2 ** k; bits++) {
    const successes = [...bits.toString(2)].filter((bit) => bit === "1").length;
    if (isMixed({ rollouts: k, successes })) share += p ** successes * (1 - p) ** (k - successes);
  }
  assertClose([expectedMixed(p, k)], [share], 1e-12, "share");
  assertClose(
    [0.5, 0.65, 0.9, 0.95].map((p) => expectedMixed(p, 8)),
    [0.992, 0.968, 0.57, 0.337],
    2e-3,
    "K = 8",
  );
});

const contexts = Array.from({ length: 20 }, (_, index) => ({ task: "a", index }));

Deno.test("drawContexts() orders all contexts by the stream", () => {
  const draw = (round: number) =>
    drawContexts(stream(1, "order", round), contexts, { earlier: [], skips: 3 });
  const indices = (round: number) => draw(round).map(({ index }) => index);
  assert.deepEqual(indices(0).toSorted((a, b) => a - b), contexts.map(({ index }) => index));
  assert.deepEqual(indices(0), indices(0));
  assert.notDeepEqual(indices(0), indices(1));
});

Deno.test("drawContexts() leaves solved contexts out for some rounds, then forgets", () => {
  const solved = [{ task: "a", index: 4, rollouts: 8, successes: 8 }];
  const others = [{ task: "a", index: 5, rollouts: 8, successes: 7 }, {
    task: "b",
    index: 6,
    rollouts: 8,
    successes: 8,
  }];
  const drawn = (earlier: (typeof solved)[], skips = 3) =>
    drawContexts(stream(1, "x"), contexts, { earlier, skips }).map(({ index }) => index);
  assert.ok(!drawn([[...solved, ...others]]).includes(4));
  assert.equal(drawn([[...solved, ...others]]).length, 19, "mixed groups and other tasks stay");
  assert.ok(!drawn([solved, [], []]).includes(4));
  assert.ok(drawn([solved, [], [], []]).includes(4), "forgotten after three rounds");
  assert.ok(drawn([solved], 0).includes(4), "a switch");
});
