/** Speaks the bridge's protocol as far as `policies/lerobot_test.ts` needs it; its argument says how it behaves when asked. */
import { framed } from "../policies/lerobot_process.ts";
import { floats, unpack, type Wire, type WireArray, wireArray } from "../policies/msgpack_numpy.ts";

const habit = Deno.args[0]!;
let rest = new Uint8Array();

async function send(message: Record<string, Wire>, bytes = framed(message)): Promise<void> {
  // In two pieces: a reader must not take a part for the whole.
  for (const part of [bytes.subarray(0, 7), bytes.subarray(7)]) {
    for (let at = 0; at < part.length;) at += Deno.stdout.writeSync(part.subarray(at));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function answer({ id, kind, noise }: Record<string, Wire>): Promise<void> {
  const ok = { id: id!, ok: true };
  if (kind === "hello") return await send({ ...ok, versions: { lerobot: "0.6.1" } });
  if (kind === "open") {
    const images = { "observation.images.image": [3, 2, 2] };
    const policy = { type: "pi0", horizon: 2, action_width: 1, noise_width: 3, state_width: 2, images };
    return await send({ ...ok, policy });
  }
  if (kind === "close") Deno.exit(0);
  const refusal = (kind: string, message: string) => send({ id: id!, ok: false, error: { kind, message } });
  switch (habit) {
    case "well": {
      await send({ id: 0, kind: "alive" });
      const first = floats(noise as WireArray)[0]!;
      return await send({ ...ok, actions: wireArray([1, 2, 1], Float32Array.of(1 + first, 2 + first)) });
    }
    case "die":
      console.error("ModuleNotFoundError: No module named 'torch'");
      return Deno.exit(3);
    case "garbage":
      return await send({}, new TextEncoder().encode("Loading weights from local directory\n"));
    case "internal":
      return await refusal("internal", "RuntimeError: CUDA out of memory");
    case "refuse":
      return await refusal("usage", "Cannot sample with noise: wanted other noise");
  }
}

for await (const bytes of Deno.stdin.readable) {
  rest = new Uint8Array([...rest, ...bytes]);
  while (rest.length >= 4) {
    const end = 4 + new DataView(rest.buffer).getUint32(0, true);
    if (rest.length < end) break;
    const message = unpack(rest.subarray(4, end));
    rest = rest.slice(end);
    await answer(message as Record<string, Wire>);
  }
}
