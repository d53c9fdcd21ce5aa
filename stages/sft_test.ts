/** What LeRobot is told, and how a training process fails; with LeRobot itself: tests/lerobot_bridge_test.ts. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { bareContext } from "../tests/stage_context.ts";
import { runBridge, stepColumns } from "./lerobot_run.ts";
import { configuration, launcher, parameters } from "./sft.ts";

const p = (others: Record<string, unknown> = {}) => parameters.parse({ policy: "pi05", ...others });
const lerobot = { device: "cpu", plugin: "" };

Deno.test("the configuration has relative paths only, the stage's seed, and never the hub", () => {
  const config = configuration(
    p({ settings: { "policy.chunk_size": 10, "seed": 5, "optimizer.lr": 1e-4 } }),
    {
      seed: 7,
      base: false,
    },
  );
  assert.equal(config.seed, 7);
  assert.deepEqual(config.policy, { chunk_size: 10, type: "pi05", device: "cpu", push_to_hub: false });
  assert.deepEqual(config.dataset, { repo_id: "local/data", root: "data" });
  assert.ok(!/"\//.test(JSON.stringify(config)));
  const { policy } = configuration(p({ settings: { "policy.chunk_size": 10 } }), { seed: 7, base: true });
  assert.equal(policy, undefined);
});

Deno.test("a run is started by python, torchrun or accelerate", () => {
  const by = (launch: Record<string, unknown>) => launcher(p({ launch })).join(" ");
  assert.equal(by({}), "-m");
  assert.equal(
    by({ with: "torchrun", processes: 4 }),
    "-m torch.distributed.run --standalone --nproc_per_node=4 -m",
  );
  assert.equal(
    by({ with: "accelerate", processes: 2 }),
    "-m accelerate.commands.launch --num_processes=2 --multi_gpu -m",
  );
  assert.throws(() => by({ processes: 2 }), /launch\.with accelerate or torchrun$/);
  assert.throws(() => p({ logEvery: 3, saveEvery: 4 }), /multiple of logEvery/);
});

/** Runs a shell script in Python's place. */
async function script(text: string, interruptAt = Infinity) {
  const folder = await Deno.makeTempDir({ prefix: "uplift-sft-" });
  try {
    const program = join(folder, "python");
    await Deno.writeTextFile(program, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    const heard: unknown[] = [];
    const { context } = bareContext({ interruptAt });
    let said: string | undefined;
    await runBridge(context, {
      args: ["x"],
      folder,
      lerobot,
      heard: (event) => heard.push(event),
      python: program,
    })
      .catch((error: Error) => said = error.message);
    return { heard, said, columns: stepColumns(folder, ["loss"]), ended: existsSync(join(folder, "ended")) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const posix = { ignore: Deno.build.os === "windows" };

Deno.test(
  "events are heard between other lines and progress bars; the last word on a step counts",
  posix,
  async () => {
    const { heard, said, columns } = await script(`
printf 'INFO a\\nTraining: 1%%\\rTraining: 2%%'
printf '\\n@uplift {"step": 1, "loss": 0.5}\\nmore\\n'
for loss in 0.5 0.25; do echo "{\\"step\\": 2, \\"loss\\": $loss}" >> "$UPLIFT_EVENTS"; done
echo '{"step": 1, "loss": 0.5}' >> "$UPLIFT_EVENTS"
printf '{"step": 3, "lo' >> "$UPLIFT_EVENTS"`);
    assert.equal(said, undefined);
    assert.deepEqual(heard, [{ step: 1, loss: 0.5 }]);
    assert.deepEqual([[...columns.step!], [...columns.loss!]], [[1, 2], [0.5, 0.25]]);
  },
);

Deno.test(
  "a failure is one line: LeRobot's words, the last line of a crash, or the signal",
  posix,
  async () => {
    const failed = async (text: string) => (await script(text)).said;
    assert.equal(await failed(`echo '@uplift {"error": "Cannot train: no"}'; exit 1`), "Cannot train: no");
    assert.equal(
      await failed(`echo "Traceback" >&2; echo "KeyError: 'action'" >&2; exit 1`),
      "Lost LeRobot's process: exit code 1: KeyError: 'action'",
    );
    assert.match(
      (await failed(`kill -9 $$`))!,
      /^Lost LeRobot's process: killed by SIGKILL \(probably out of memory/,
    );
  },
);

Deno.test("an interruption ends the program before the stage ends", posix, async () => {
  const { said, ended } = await script(
    `trap 'touch ended; exit 1' TERM; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; done`,
    2,
  );
  assert.equal(said, "Interrupted");
  assert.ok(ended);
});
