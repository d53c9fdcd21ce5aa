/** When the learner is called: after so many environment steps, or after so many stored transitions. */

/** Where a loop stands. */
export interface Moment {
  /** Environment steps so far. */
  readonly steps: number;
  /** Episodes that had ended before this round. */
  readonly ended: number;
  /** Transitions ever stored. */
  readonly stored: number;
  /** Transitions the replay holds. */
  readonly held: number;
  /** Calls of the learner so far. */
  readonly calls: number;
}

/** Calls of the learner that are due at a moment. */
export type Calls = (moment: Moment) => number;

/** One call every `interval` environment steps, once `episodes` have ended and a call's worth of data is there. */
export function everySteps({ interval, episodes }: { interval: number; episodes: number }): Calls {
  return ({ steps, ended, held }) => ended >= episodes && steps % interval === 0 && held >= interval ? 1 : 0;
}

/** `updates` critic updates for each transition stored after the first `start`; a call makes `perCall` of them. */
export function everyTransitions(
  { start, updates, perCall }: { start: number; updates: number; perCall: number },
): Calls {
  // The small term keeps a quotient like 20 x 0.1 / 2 from falling just below its whole number.
  return ({ stored, calls }) =>
    Math.max(0, Math.floor((stored - start) * updates / perCall + 1e-9) - Math.round(calls));
}
