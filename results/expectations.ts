/** What an experiment takes for granted of its evaluations: a warning where it does not hold. */
import type { Expectation } from "../lab/experiment.ts";
import { stream } from "../random.ts";
import { type Outcome, uplift } from "./evaluation.ts";
import { percent, pointBounds, points } from "./format.ts";

/** Far below: at least so much, by an interval that leaves out 0. */
const FAR = 0.1;

/** One sentence or two for each expectation that does not hold; none where all do, or too few episodes can tell. */
export function warnings(
  expectations: readonly Expectation[],
  evaluations: readonly (readonly [label: string, outcomes: readonly Outcome[]])[],
): string[] {
  const find = (label: string): readonly Outcome[] => {
    const found = evaluations.find(([each]) => each === label);
    if (found) return found[1];
    throw new RangeError(`Cannot expect anything of evaluation "${label}": the report has none of that name`);
  };
  const rate = (outcomes: readonly Outcome[]) =>
    percent(outcomes.filter(({ success }) => success).length / outcomes.length);
  return expectations.flatMap(({ label, near, otherwise }) => {
    const [tried, wanted] = [find(label), find(near)];
    const { interval } = uplift(wanted, tried, stream(0, "expectation", label, near));
    if (interval.estimate > -FAR || interval.high >= 0) return [];
    return [
      `Warning: ${label} succeeds in ${rate(tried)}, ${near} in ${rate(wanted)} (${
        points(interval.estimate)
      } points ` +
      `${pointBounds(interval)}). ${otherwise}.`,
    ];
  });
}
