/** Steering over openpi's protocol: what is asked, what is executed, how an interrupted episode goes on. */
import assert from "node:assert/strict";
import type { Observation, Task } from "../envs/environment.ts";
import { ndarray } from "../ndarray.ts";
import { floats, isWireArray, wireArray } from "../policies/msgpack_numpy.ts";
import type { Message } from "../policies/openpi.ts";
import { stream } from "../random.ts";
import { RemoteSteering } from "./remote_steering.ts";
import type { Lane } from "./rollout.ts";
import { type Steering, unsteered } from "./steered_base.ts";

const task = { name: "lift", language: "Lift it" } as Task;
const lane = (index: number): Lane => ({
  index,
  plan: { task, state: { split: "training", index: 40 + index }, noise: 0 },
  t: 0,
  observation: { proprioception: Float64Array.of(index) } as unknown as Observation,
});

/** A policy whose action h is the sum of row h of the noise, plus the lane; it keeps what it was asked. */
function policy(answer?: (question: Message) => Float32Array) {
  const asked: Message[] = [];
  const infer = (question: Message): Promise<Message> => {
    asked.push(question);
    const { noise, lane } = question;
    assert.ok(isWireArray(noise) && noise.shape.join() === "3,4");
    const sums = Float32Array.from(
      { length: 3 },
      (_, h) => floats(noise).subarray(4 * h, 4 * h + 4).reduce((a, b) => a + b) + Number(lane),
    );
    return Promise.resolve({ actions: wireArray([3, 1], answer?.(question) ?? sums) });
  };
  return { asked, infer };
}

function steered(infer: (question: Message) => Promise<Message>, steering: Steering, rows = 1) {
  return new RemoteSteering({
    infer,
    view: ({ proprioception }, language) => ({ lane: proprioception[0]!, prompt: language }),
    lanes: 2,
    actionSize: 1,
    execute: 2,
    noise: [3, 4],
    rows,
    seed: 9,
    steering,
  });
}

const drawn = (query: number, index: number, numbers: number) =>
  stream(9, "chunk", "lift", "training", 40 + index, 0, query).fillNormal(new Float32Array(numbers));

Deno.test("a query sends one row of noise repeated, drawn by episode and query; two of three actions are executed", async () => {
  const { asked, infer } = policy();
  const base = steered(infer, unsteered("drawn"));
  const lanes = [lane(0), lane(1)];
  lanes.forEach((each) => base.begin(each));
  const taken: number[][] = [];
  for (let t = 0; t < 3; t++) taken.push((await base.act(lanes)).map((decision) => decision!.action[0]!));
  assert.equal(
    asked.length,
    3 + 2 + 2,
    "three to see that the noise is obeyed, then two queries of two lanes",
  );
  assert.equal(asked[3]!.prompt, "Lift it");
  const sum = (query: number, index: number) =>
    Math.fround(drawn(query, index, 4).reduce((a, b) => Math.fround(a + b)) + index);
  const close = (a: number[], b: number[]) =>
    a.forEach((x, i) => assert.ok(Math.abs(x - b[i]!) < 1e-5, `${a}, ${b}`));
  close(taken[0]!, [sum(0, 0), sum(0, 1)]);
  assert.deepEqual(taken[1], taken[0]);
  close(taken[2]!, [sum(1, 0), sum(1, 1)]);
});

Deno.test("all rows of noise are those of the draw", async () => {
  const { asked, infer } = policy();
  const base = steered(infer, unsteered("drawn"), 3);
  await base.act([lane(0), undefined]);
  const { noise } = asked.at(-1)!;
  assert.ok(isWireArray(noise));
  assert.deepEqual(floats(noise), drawn(0, 0, 12));
});

Deno.test("what the learner saw and chose is kept with the chunk, and an interrupted episode goes on from it", async () => {
  const { infer } = policy();
  const seen: Steering = {
    observe: ({ observation }) => ({ state: Float32Array.from(observation.proprioception) }),
    choose: (observed) => {
      const w = ndarray([2, 4]);
      observed.forEach((columns, i) => columns && w.data.fill(columns.state![0]! + 0.25, 4 * i, 4 * i + 4));
      return Promise.resolve(w);
    },
  };
  const base = steered(infer, seen);
  const lanes = [lane(0), lane(1)];
  const [, second] = await base.act(lanes);
  assert.deepEqual([...base.query(1)!.w], [1.25, 1.25, 1.25, 1.25]);
  assert.deepEqual([...base.query(1)!.observed.state!], [1]);
  assert.deepEqual([base.used(1), base.queries(1), base.due(1)], [1, 1, false]);
  const other = steered(infer, seen);
  other.restore(1, { query: base.query(1)!, used: 1, queries: 1 });
  assert.deepEqual(other.next(1), second!.action);
  assert.ok(other.due(1));
});

Deno.test("a server that ignores the noise, or sends too short a chunk, is refused", async () => {
  let count = 0;
  const random = policy(() => Float32Array.from([count++, 1, 2]));
  const message = /^Cannot steer this policy server: its actions do not follow the "noise" it is sent/;
  await assert.rejects(steered(random.infer, unsteered("zero")).act([lane(0), undefined]), { message });
  const constant = policy(() => Float32Array.of(1, 2, 3));
  await assert.rejects(steered(constant.infer, unsteered("zero")).act([lane(0), undefined]), { message });
  const short = { infer: () => Promise.resolve({ actions: wireArray([1, 1], Float32Array.of(1)) }) };
  await assert.rejects(steered(short.infer, unsteered("zero")).act([lane(0), undefined]), {
    message: "Cannot execute 2 actions of a chunk: the policy server sends 1; query more often",
  });
});
