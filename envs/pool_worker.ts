/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/** The worker of a pool: holds the environments of its lanes and steps them when the pool raises its counter. */
import type { CameraSettings, Environment, Step } from "./environment.ts";
import { writeStep } from "./flat_step.ts";
import {
  actionSize,
  failed,
  finished,
  firstActive,
  type Reply,
  type Request,
  requested,
  type SharedLanes,
  sharedLanes,
  writeImages,
} from "./pool_protocol.ts";
import { openTabletop } from "./tabletop.ts";

const suites = { tabletop: openTabletop } as const;

const environments: Environment[] = [];
let open: typeof openTabletop;
let cameras: readonly CameraSettings[];
let shared: SharedLanes;

self.onmessage = ({ data }: MessageEvent<Request>) => {
  switch (data.kind) {
    case "open":
      open = suites[data.suite];
      cameras = data.cameras;
      shared = sharedLanes(data.buffer, data.lanes, cameras);
      serveSteps();
      return reply({ kind: "opened" });
    case "reset":
      return reset(data);
    default:
      throw new TypeError(`Cannot serve a request of kind "${(data as { kind: unknown }).kind}"`);
  }
};

async function reset({ slot, task, state, replay }: Request & { kind: "reset" }): Promise<void> {
  try {
    if (environments[slot]?.task.name !== task) {
      const environment = await open(task, { cameras });
      environments[slot]?.[Symbol.dispose]();
      environments[slot] = environment;
    }
    const environment = environments[slot]!;
    let step: Step = {
      observation: environment.reset(state),
      success: false,
      terminated: false,
      truncated: false,
    };
    for (let at = 0; at < replay.length; at += actionSize) {
      step = environment.step(replay.subarray(at, at + actionSize));
    }
    write(step, environment, slot);
    reply({ kind: "reset", slot, objects: environment.task.objects });
  } catch (error) {
    reply({ kind: "error", slot, message: message(error) });
  }
}

/** Waits without blocking, so that requests for resets come through. */
async function serveSteps(): Promise<void> {
  const { control } = shared;
  for (let count = 0;;) {
    const wait = Atomics.waitAsync(control, requested, count);
    if (wait.async) await wait.value;
    const next = Atomics.load(control, requested);
    if (next === count) continue;
    count = next;
    stepLanes();
    Atomics.store(control, finished, count);
    Atomics.notify(control, finished);
  }
}

function stepLanes(): void {
  const { control, actions } = shared;
  for (let slot = 0; slot < actions.length; slot++) {
    if (!control[firstActive + slot]) continue;
    try {
      const environment = environments[slot]!;
      write(environment.step(actions[slot]!), environment, slot);
    } catch (error) {
      Atomics.store(control, failed, 1);
      reply({ kind: "error", slot, message: message(error) });
    }
  }
}

function write(step: Step, environment: Environment, slot: number): void {
  writeStep(step, environment.task.objects, shared.steps[slot]!);
  writeImages(step, cameras, shared.images[slot]!);
}

function reply(data: Reply): void {
  self.postMessage(data);
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
