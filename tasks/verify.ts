/** `exp verify`: makes stages again from their stored inputs and compares the outputs. */
import { availableParallelism } from "node:os";
import { Interruption } from "../lab/errors.ts";
import { Slots } from "../lab/slots.ts";
import { verify } from "../lab/verify.ts";
import { compareOutputs } from "../results/compare.ts";
import { Interrupt } from "./interrupt.ts";
import { TerminalReporter } from "./progress.ts";
import { checkStage, count } from "./run.ts";
import { oneRequest, type RequestOptions, type Session } from "./session.ts";
import { table } from "./table.ts";
import { splitSubject } from "./why.ts";

/** Options of `verify` alone. */
export interface VerifyOptions extends RequestOptions {
  readonly times: string;
  readonly jobs?: string | undefined;
  readonly heap: string;
}

/** Verifies NAME or NAME/STAGE; fails when an output is not equal in bytes or values, or was never made. */
export async function verifyCommand(
  subject: string,
  options: VerifyOptions,
  session: Session,
): Promise<number> {
  const { store, catalog, json } = session;
  const [name, stage] = splitSubject(subject);
  const [heap, times] = [count(options.heap, "--heap"), count(options.times, "--times")];
  const cores = availableParallelism();
  const jobs = options.jobs === undefined
    ? Math.max(1, Math.floor(cores / 2))
    : count(options.jobs, "--jobs");
  const planned = await catalog.plan(name, await oneRequest(options), store, (plan) => {
    if (stage !== undefined) checkStage(plan, stage);
  });
  using interrupt = new Interrupt();
  let checked: Awaited<ReturnType<typeof verify>>;
  {
    using reporter = new TerminalReporter(times * (stage === undefined ? planned.plan.stages.length : 1));
    checked = await verify(planned, store, {
      slots: new Slots(jobs),
      workers: Math.max(1, Math.floor(cores / jobs)),
      heap,
      interrupt: interrupt.flag,
      signal: interrupt.signal,
      times,
      ...(stage === undefined ? {} : { only: stage }),
      reporter,
      compare: compareOutputs,
    });
  }
  if (interrupt.happened) throw new Interruption("Interrupted: nothing was changed");
  const { outputs, missing } = checked;
  const { experiment, version, definition, seed } = planned.plan;
  if (json) console.log(JSON.stringify({ experiment, version, definition, seed, outputs, missing }, null, 2));
  else {
    const rows = outputs.map((
      { stage, output, time, verdict, first },
    ) => [`${stage}/${output}`, time, verdict, first ?? ""]);
    console.log(table(["output", "time", "verdict", "first difference"], rows));
  }
  for (const name of missing) {
    console.error(`Cannot verify stage "${name}": it is not in the store, run it first`);
  }
  const alike = outputs.every(({ verdict }) => verdict === "bitwise" || verdict === "equal");
  return alike && missing.length === 0 ? 0 : 1;
}
