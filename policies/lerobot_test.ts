/** The client against a stand-in that speaks the bridge's protocol; the real bridge: tests/lerobot_bridge_test.ts. */
import assert from "node:assert/strict";
import { lerobotBatch, LerobotPolicy } from "./lerobot.ts";
import { describeEnd } from "./lerobot_diagnosis.ts";
import { wireArray } from "./msgpack_numpy.ts";

const moments = (silence: number) => ({ total: 20_000, silence });
const deadlines = {
  hello: moments(20_000),
  open: moments(20_000),
  sample: moments(700),
  close: { total: 500, silence: 500 },
};

/** A policy of one camera whose chunk is 1, 2, ... plus the first number of the noise; `habit` is what it does when asked. */
function open(habit: string) {
  const script = new URL("../tests/fake_lerobot_bridge.ts", import.meta.url).pathname;
  const config = new URL("../deno.json", import.meta.url).pathname;
  return LerobotPolicy.open(
    {
      program: Deno.execPath(),
      args: ["run", "-A", "--config", config, script, habit],
      env: { NO_COLOR: "1" },
    },
    { path: "somewhere", normStats: "policy" },
    deadlines,
  );
}

const words = (noise = 0.5) => ({
  "observation/image": wireArray([2, 2, 3], new Uint8Array(12)),
  "observation/state": wireArray([2], new Float64Array(2)),
  prompt: "put it away",
  noise: wireArray([2, 3], new Float32Array(6).fill(noise)),
});

Deno.test("infer() asks in LeRobot's words and answers in openpi's; heartbeats and split messages are no trouble", async () => {
  await using policy = await open("well");
  assert.equal(policy.description.type, "pi0");
  for (const noise of [0.5, 2]) {
    const { actions } = await policy.infer(words(noise)) as { actions: ReturnType<typeof wireArray> };
    assert.deepEqual([actions.dtype, actions.shape], ["<f4", [2, 1]]);
    assert.deepEqual([...new Float32Array(actions.data.slice().buffer)], [1 + noise, 2 + noise]);
  }
});

for (
  const [habit, message] of [
    [
      "die",
      /^Lost the LeRobot process: exit code 3: ModuleNotFoundError: No module named 'torch' \(package torch is missing, run "deno task setup:lerobot"\)$/,
    ],
    ["garbage", /^Lost the LeRobot process: garbage instead of a reply: a message of \d+ bytes$/],
    ["silent", /^Lost the LeRobot process: silent for 0\.7 s during sample$/],
    ["internal", /^Lost the LeRobot process: RuntimeError: CUDA out of memory \(probably out of memory: /],
    ["refuse", /^Cannot sample with noise: wanted other noise$/],
  ] as const
) {
  Deno.test(`a process that does "${habit}" gives one line`, async () => {
    await using policy = await open(habit);
    await assert.rejects(() => policy.infer(words()), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
    const after = policy.infer(words());
    // A refusal loses nothing, any other end is for good.
    await assert.rejects(after, habit === "refuse" ? /wanted other noise/ : /Lost the LeRobot process/);
  });
}

Deno.test("a program that is not there is said with the mend", async () => {
  await assert.rejects(
    () => LerobotPolicy.open({ program: "/nowhere/python", env: {} }, { path: "", normStats: "policy" }),
    /^Error: Cannot start LeRobot with \/nowhere\/python: .*\(run "deno task setup:lerobot"\)$/,
  );
});

Deno.test("lerobotBatch() takes the table's camera first, leaves empty cameras out, wants noise only for flows", () => {
  const images = {
    "observation.images.a": [3, 2, 2],
    "observation.images.b": [3, 2, 2],
    "observation.images.empty_camera_0": [3, 2, 2],
  };
  const both = { ...words(), "observation/wrist_image": wireArray([2, 2, 3], new Uint8Array(12).fill(9)) };
  const { batch, noise } = lerobotBatch(both, { images, noise_width: 0 });
  assert.deepEqual(Object.keys(batch.observation), [
    "observation.images.a",
    "observation.images.b",
    "observation.state",
  ]);
  assert.equal(batch.observation["observation.images.b"]!.data[0], 9);
  assert.deepEqual(batch.observation["observation.state"]!.shape, [1, 2]);
  assert.equal(batch.observation["observation.state"]!.dtype, "<f4");
  assert.equal(noise, undefined);
  assert.throws(
    () => lerobotBatch(words(), { images, noise_width: 3 }),
    /without "observation\/wrist_image"/,
  );
});

Deno.test("describeEnd() names a kill and its likely cause", () => {
  assert.match(
    describeEnd({ signal: "SIGKILL", lines: ["step 7"] }),
    /^killed by SIGKILL: step 7 \(probably out of memory/,
  );
  assert.equal(describeEnd({ code: 1, lines: [] }), "exit code 1");
});
