import assert from "node:assert/strict";
import type { StageResult } from "../lab/runner.ts";
import { TerminalReporter } from "./progress.ts";

const ended = (name: string, state: StageResult["state"]): StageResult => ({
  name,
  entry: "stages/a.ts",
  key: null,
  state,
  seconds: 2,
  budget: { environmentSteps: 0, gradientSteps: 0 },
  outputs: {},
});

/** What a reporter of four stages writes. */
function written(terminal: boolean, play: (reporter: TerminalReporter) => void, width = 100): string {
  let all = "";
  using reporter = new TerminalReporter(4, { terminal, width: () => width, write: (text) => all += text });
  play(reporter);
  return all;
}

Deno.test("without a terminal, each line says which stage of how many it is about, cached ones counted", () => {
  const lines = written(false, (reporter) => {
    reporter.finished(ended("base", "hit"));
    reporter.started("left");
    reporter.waiting("right", { pid: 7, experiment: "sample", stage: "right" });
    reporter.finished(ended("left", "run"));
    reporter.finished(ended("right", "hit"));
    reporter.started("summary");
    reporter.finished(ended("summary", "run"));
  }).trimEnd().split("\n");
  assert.deepEqual(lines, [
    "stage 2 of 4, left: started",
    "stage 3 of 4, right: waiting for process 7 (sample/right), which is making it",
    "stage 2 of 4, left: done in 2.0 s",
    "stage 4 of 4, summary: started",
    "stage 4 of 4, summary: done in 2.0 s",
  ]);
});

Deno.test("on a terminal, the updating lines say it too, cut at its width", () => {
  const play = (reporter: TerminalReporter) => {
    reporter.finished(ended("base", "hit"));
    reporter.started("left");
    reporter.progress("left", { done: 1, total: 4, unit: "episodes" });
    reporter.started("right");
  };
  assert.match(
    written(true, play),
    /stage 2 of 4, left: 1\/4 episodes, 25 %\nstage 3 of 4, right: running for /,
  );
  assert.match(written(true, play, 21), /^stage 2 of 4, left: ?\n/);
});
