/**
 * Success of the scripted expert on training states: `deno run -A bench/expert.ts [--states 40] [--task NAME]
 * [--no-noise]`. Prints one line a task: rate with n, steps to success.
 */
import { command, count, flag, oneOf } from "./command.ts";
import { openTabletop, tasks } from "../envs/tabletop.ts";
import { Expert } from "../envs/tabletop_expert.ts";
import { stream } from "../random.ts";

const options = { states: count(40), task: oneOf(Object.keys(tasks), undefined), noise: flag(true) };

await command(options, async ({ states, task: only, noise }) => {
  for (const name of only ? [only] : Object.keys(tasks)) {
    using environment = await openTabletop(name);
    const { task } = environment;
    const lengths: number[] = [], failures: number[] = [];
    let steps = 0;
    const start = performance.now();
    for (let index = 0; index < states; index++) {
      let observation = environment.reset({ split: "training", index });
      const expert = new Expert(task, stream(0, "expert", name, index), { noise });
      for (let t = 1;; t++) {
        const step = environment.step(expert.act(observation));
        observation = step.observation;
        steps++;
        if (step.terminated) lengths.push(t);
        if (step.truncated) failures.push(index);
        if (step.terminated || step.truncated) break;
      }
    }
    const rate = steps / (performance.now() - start) * 1e3;
    const mean = lengths.reduce((a, b) => a + b, 0) / lengths.length;
    console.log(
      `${name}: ${lengths.length}/${states}, steps mean ${mean.toFixed(0)} (${Math.min(...lengths)} ... ` +
        `${Math.max(...lengths)}) of ${task.maxSteps}, ${rate.toFixed(0)} steps/s` +
        (failures.length ? `, failed ${failures.join(" ")}` : ""),
    );
  }
});
