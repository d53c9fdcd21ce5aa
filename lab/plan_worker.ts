/** Loads an experiment module and plans it, in a worker: what the stages' modules load is gone again afterwards. */
import { parentPort, workerData } from "node:worker_threads";
import { firstLine, UsageError } from "./errors.ts";
import { type Plan, plan } from "./plan.ts";

/** What the worker answers. */
export type FromPlanWorker = { readonly plan: Plan } | { readonly usage: string } | {
  readonly failure: string;
};

// Libraries greet on the console; stdout belongs to the command.
console.log = console.info = console.warn = () => {};

const answer = (message: FromPlanWorker) => parentPort!.postMessage(message);
const { url, request } = workerData;
try {
  const { default: experiment } = await import(url);
  if (typeof experiment?.graph !== "function") throw new Error("its default export is not an experiment");
  answer({ plan: plan(experiment, request) });
} catch (thrown) {
  answer(thrown instanceof UsageError ? { usage: thrown.message } : { failure: firstLine(thrown) });
}
