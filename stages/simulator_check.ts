/** What the modules of simulators tell `exp doctor`: a line for each thing that a stage needs. */

/** One line. */
export interface SimulatorCheck {
  /** The thing. */
  readonly name: string;
  /** Whether it is there. */
  readonly ok: boolean;
  /** What it is, or why it is not there. */
  readonly detail: string;
  /** The command or step that gets it. */
  readonly mend: string;
}

/** A line for what `look` describes; what it throws is why the thing is not there. */
export function checked(name: string, mend: string, look: () => string): SimulatorCheck {
  try {
    return { name, ok: true, detail: look(), mend };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error), mend };
  }
}
