import assert from "node:assert/strict";
import type { Episode } from "../data/episode.ts";
import { weightFrames, weighting, weightOf } from "./lerobot_weights.ts";

const rule = (settings: Record<string, unknown>) => weighting.parse(settings);

Deno.test("weightOf() follows cfg_flow.ts and awr.ts", () => {
  for (const advantage of [-1, 0, 0.25, 7]) {
    assert.equal(weightOf(advantage, rule({})), 1);
    assert.equal(weightOf(advantage, rule({ rule: "advantage" })), Math.max(0, Math.min(5, advantage)));
    const awr = weightOf(advantage, rule({ rule: "awr", cap: 100 }));
    assert.equal(awr, Math.min(100, Math.exp(3 * advantage)));
  }
});

Deno.test("weightFrames() has a number for each frame; positive is strictly above 0; windows start by the stride", () => {
  const episode = { task: "t", index: 3, length: 5, tags: { advantage: 0 } } as unknown as Episode;
  const values = (frames: ReturnType<typeof weightFrames>, name: string) => {
    const column = frames[name]!;
    return column.kind === "numbers" ? [...column.values] : [];
  };
  const none = weightFrames(episode, rule({ stride: 2 }));
  assert.deepEqual(values(none, "is_positive"), [0, 0, 0, 0, 0]);
  assert.deepEqual(values(none, "is_start"), [1, 0, 1, 0, 1]);
  const some = weightFrames({ ...episode, tags: { advantage: 0.5 } }, rule({ rule: "advantage" }));
  assert.deepEqual([values(some, "is_positive")[0], values(some, "weight")[4]], [1, 0.5]);
  assert.throws(() => weightFrames({ ...episode, tags: {} }, rule({})), /from state 3: it has no advantage$/);
});

Deno.test("chunks with advantages of their own are weighed one by one, and start windows where they are valid", () => {
  const episode = { task: "t", index: 3, length: 3, tags: {} } as unknown as Episode;
  const chunks = { valid: [1, 0, 1], advantage: [0.5, -1, -2] };
  const frames = weightFrames(episode, rule({ rule: "awr", inverseTemperature: 1 }), chunks);
  const values = (name: string) => {
    const column = frames[name]!;
    return column.kind === "numbers" ? [...column.values] : [];
  };
  assert.deepEqual(values("advantage"), [0.5, -1, -2]);
  assert.deepEqual(values("weight"), [Math.exp(0.5), Math.exp(-1), Math.exp(-2)]);
  assert.deepEqual([values("is_positive"), values("is_start")], [[1, 0, 0], [1, 0, 1]]);
});
