import assert from "node:assert/strict";
import { stream } from "../random.ts";
import { aggregate, iqm, pairedDifference } from "./bootstrap.ts";
// SciPy 1.17.1, statsmodels 0.15.0, rliable 1.2.0: fixtures/make_statistics.py
import oracle from "./fixtures/statistics.json" with { type: "json" };
import { normalQuantile, studentQuantile } from "./normal.ts";
import {
  episodesToSettle,
  holm,
  type Interval,
  mcnemar,
  newcombe,
  signFlip,
  statesToSettle,
  student,
  tango,
  wilson,
  wilsonClustered,
} from "./statistics.ts";

function close(actual: number | undefined, expected: number | undefined, tolerance = 1e-12) {
  const distance = Math.abs(actual! - expected!);
  assert.ok(distance <= tolerance * Math.max(1, Math.abs(expected!)), `${actual} is not ${expected}`);
}

function closeInterval({ low, high }: Interval, expected: readonly number[], tolerance?: number) {
  close(low, expected[0], tolerance);
  close(high, expected[1], tolerance);
}

Deno.test("normalQuantile() agrees with SciPy", () => {
  for (const [p, z] of oracle.normalQuantile) close(normalQuantile(p!), z, 1e-14);
});

Deno.test("studentQuantile() and student() agree with SciPy", () => {
  for (const [p, freedom, t] of oracle.studentQuantile) close(studentQuantile(p!, freedom!), t, 1e-11);
  closeInterval(student(oracle.student.scores), oracle.student.interval);
  assert.throws(() => student([1]), { message: "Cannot see the spread of 1 runs: give at least two" });
});

Deno.test("wilson() agrees with statsmodels", () => {
  for (const [k, n, level, low, high] of oracle.wilson) closeInterval(wilson(k!, n!, level!), [low!, high!]);
  const { estimate, n, method } = wilson(45, 50);
  assert.deepEqual({ estimate, n, method }, { estimate: 0.9, n: 50, method: "Wilson" });
});

Deno.test("newcombe() agrees with statsmodels", () => {
  for (const [a, m, b, n, low, high] of oracle.newcombe) {
    closeInterval(newcombe({ successes: a!, n: m! }, { successes: b!, n: n! }), [low!, high!]);
  }
});

Deno.test("mcnemar() agrees with statsmodels", () => {
  for (const [wins, losses, p] of oracle.mcnemar) {
    close(Math.log(mcnemar(wins!, losses!).p), Math.log(p!), 1e-12);
  }
});

Deno.test("tango() inverts the score test", () => {
  // The first case is in Fagerland, Lydersen and Laake 2014: -0.517, -0.026.
  for (const [wins, losses, n, low, high] of oracle.tango) {
    closeInterval(tango(wins!, losses!, n!), [low!, high!], 1e-6);
  }
});

Deno.test("tango() of pairs that all agree, or all disagree, keeps its width", () => {
  const z2 = normalQuantile(0.975) ** 2;
  closeInterval(tango(0, 0, 50), [-z2 / (50 + z2), z2 / (50 + z2)], 1e-9);
  const { low, high } = tango(50, 0, 50);
  assert.ok(low > 0.8 && low < 0.95 && high === 1, `${low}, ${high}`);
});

Deno.test("signFlip() agrees with all sign vectors, and with mcnemar() for single pairs", () => {
  for (const [differences, p] of oracle.signFlip) close(signFlip(differences as number[]).p, p as number);
  const single = [...Array(9).fill(1), -1, -1, 0, 0, 0];
  close(signFlip(single).p, mcnemar(9, 2).p);
  assert.equal(signFlip([0, 0]).p, 1);
});

Deno.test("holm() agrees with statsmodels", () => {
  for (const [p, adjusted] of oracle.holm) holm(p!).forEach((x, i) => close(x, adjusted![i]));
});

Deno.test("wilsonClustered() uses the cluster-robust variance of statsmodels", () => {
  const { successes, n, designEffect, interval } = oracle.clustered;
  const found = wilsonClustered(successes.map((k, i) => ({ stratum: "a", successes: k, n: n[i]! })));
  close(found.designEffect, designEffect);
  closeInterval(found, interval);
  assert.equal(found.method, "Wilson, design effect 2.43 of 25 initial states");
});

Deno.test("wilsonClustered() counts initial states where all episodes agree", () => {
  const clusters = Array.from({ length: 20 }, () => ({ stratum: "a", successes: 0, n: 3 }));
  closeInterval(wilsonClustered(clusters), [0, wilson(0, 20).high]);
  assert.equal(
    wilsonClustered([{ stratum: "a", successes: 1, n: 3 }, { stratum: "b", successes: 3, n: 3 }])
      .designEffect,
    3,
  );
});

Deno.test("iqm() is SciPy's trimmed mean", () => {
  for (const [scores, expected] of oracle.iqm) close(iqm(scores as number[]), expected as number);
});

Deno.test("aggregate() agrees with rliable within the noise of resampling", () => {
  for (const statistic of ["mean", "iqm"] as const) {
    const [estimate, low, high] = oracle.aggregate[statistic];
    const found = aggregate(oracle.aggregate.scores, statistic, { stream: stream(0, statistic) });
    close(found.estimate, estimate);
    closeInterval(found, [low!, high!], 0.004);
  }
});

Deno.test("pairedDifference() of clusters agrees with NumPy's bootstrap within the noise of resampling", () => {
  const { pairs, before, after, interval } = oracle.paired;
  const clusters = pairs.map((n, i) => ({ stratum: "a", pairs: n, before: before[i]!, after: after[i]! }));
  const found = pairedDifference(clusters, { stream: stream(0, "paired") });
  closeInterval(found, interval, 0.005);
  assert.equal(found.method, "bootstrap over 30 initial states, 77 pairs");
  assert.deepEqual(pairedDifference(clusters, { stream: stream(0, "paired") }), found);
});

Deno.test("pairedDifference() does not claim certainty where all initial states differ alike", () => {
  const clusters = Array.from({ length: 50 }, () => ({ stratum: "a", pairs: 3, before: 0, after: 3 }));
  const found = pairedDifference(clusters, { stream: stream(0) });
  assert.equal(found.estimate, 1);
  closeInterval(found, [tango(50, 0, 50).low, 1]);
  assert.equal(found.method, "Tango, 50 initial states that all differ alike");
});

Deno.test("pairedDifference() covers the truth about as often as it says", () => {
  // 300 experiments of 40 initial states x 2 episodes, uplift 0.2 with states of different difficulty.
  const draws = stream(5, "coverage");
  let covered = 0;
  for (let k = 0; k < 300; k++) {
    const clusters = Array.from({ length: 40 }, () => {
      const rate = draws.uniform(0, 0.8);
      const successes = (p: number) => Number(draws.uniform() < p) + Number(draws.uniform() < p);
      return { stratum: "a", pairs: 2, before: successes(rate), after: successes(rate + 0.2) };
    });
    const { low, high } = pairedDifference(clusters, { stream: draws, resamples: 500 });
    if (low <= 0.2 && 0.2 <= high) covered++;
  }
  assert.ok(covered > 0.91 * 300 && covered < 0.99 * 300, `${covered} of 300`);
});

Deno.test("episodesToSettle() gives the sizes of the normal approximation", () => {
  // Origin: facts computed with SciPy beside the design, pooled variance under the null hypothesis.
  assert.equal(episodesToSettle(0.9, 0.85), 686);
  assert.equal(episodesToSettle(0.98, 0.96), 1141);
  assert.equal(episodesToSettle(0.5, 0.5), Infinity);
});

Deno.test("statesToSettle() finds the power it was asked for", () => {
  // A study of 60 pairs, 12 won and 6 lost, planned anew: with so many pairs of that kind, 80 % of studies are significant.
  const n = statesToSettle(tango(12, 6, 60));
  const draws = stream(2, "power");
  let found = 0;
  for (let k = 0; k < 400; k++) {
    let wins = 0, losses = 0;
    for (let i = 0; i < n; i++) {
      const u = draws.uniform();
      if (u < 0.2) wins++;
      else if (u < 0.3) losses++;
    }
    if (mcnemar(wins, losses).p < 0.05) found++;
  }
  assert.ok(found > 0.72 * 400 && found < 0.88 * 400, `${found} of 400 with ${n} pairs`);
  assert.equal(statesToSettle(tango(3, 3, 60)), Infinity);
});

Deno.test("statistics refuse impossible counts", () => {
  const counts = /: they must be counts, 0 <= successes <= n, n >= 1$/;
  assert.throws(() => wilson(3, 2), { name: "RangeError", message: counts });
  assert.throws(() => wilson(0, 0), { message: counts });
  assert.throws(() => wilson(1, 2, 95), {
    message: "Cannot make an interval of level 95: it must be between 0 and 1",
  });
  assert.throws(() => tango(3, 3, 5), {
    message:
      "Cannot compare 3 wins and 3 losses in 5 pairs: they must be counts that sum to at most n, n >= 1",
  });
  assert.throws(() => signFlip([0.5]), {
    message: "Cannot flip a difference of 0.5: it must be a whole number of episodes",
  });
  assert.throws(() => pairedDifference([], { stream: stream(0) }), {
    message: "Cannot compare policies without shared initial states: give at least one",
  });
  assert.throws(() => aggregate([[1], []], "iqm", { stream: stream(0) }), {
    message: "Cannot aggregate 2 tasks: there must be tasks, each with runs",
  });
});
