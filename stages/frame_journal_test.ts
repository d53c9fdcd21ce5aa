import assert from "node:assert/strict";
import { Frames } from "../data/frames.ts";
import { decodeMixedSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { FrameJournal } from "./frame_journal.ts";

const form = { capacity: 5, frame: [2, 2], storage: "halves" } as const;

function see(frames: Frames, from: number, to: number): void {
  for (let id = from; id < to; id++) frames.write(frames.reserve(), [id, id + 0.25, -id, 1]);
}

/** What all held frames show. */
function shown(frames: Frames): number[] {
  const ids = Array.from({ length: frames.added }, (_, id) => id).filter((id) => frames.holds(id));
  const out = new Float32Array(4 * ids.length);
  frames.gather(ids, out);
  return [...out];
}

Deno.test("a journal brings the ring back as it was at the checkpoint, and goes on from there", async () => {
  const folder = await Deno.makeTempDir();
  try {
    let checkpoint: Uint8Array;
    const whole = new Frames(form.capacity, form.frame, form.storage);
    {
      using journal = FrameJournal.start(folder, whole);
      see(whole, 0, 4);
      journal.write();
      see(whole, 4, 8);
      checkpoint = encodeSafetensors(journal.toTensors("r/"));
      const held = shown(whole);
      see(whole, 8, 10); // after the checkpoint: the attempt is killed here
      journal.write();
      assert.notDeepEqual(shown(whole), held);
    }
    const { tensors } = decodeMixedSafetensors(checkpoint);
    {
      using journal = FrameJournal.resume(folder, tensors, { ...form, prefix: "r/" });
      assert.equal(journal.frames.added, 8);
      see(journal.frames, 8, 10);
      assert.deepEqual(shown(journal.frames), shown(whole));
      journal.write();
    }
    assert.equal((await Deno.stat(`${folder}/frames`)).size, 10 * 8);
    {
      using _again = FrameJournal.resume(folder, tensors, { ...form, prefix: "r/" });
    }
    await Deno.writeFile(`${folder}/frames`, new Uint8Array(64));
    assert.throws(() => FrameJournal.resume(folder, tensors, { ...form, prefix: "r/" }), {
      message: `Cannot resume from 8 frames in ${folder}: they are not those of the checkpoint; ` +
        "remove it to start again",
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
