/** Server-sent events of what runs. They tell the newest state only, so a page that comes back misses nothing. */
import type { Context } from "hono";
import type { Reader } from "./reader.ts";
import { runFragments } from "./live_page.tsx";

const POLL_MS = 500;
const BEAT_MS = 10_000;
const MOST_LISTENERS = 64;

let listeners = 0;

/** Sends each running run as HTML whenever it changes: `{runs: {"<definition>-<seed>": html}}`. */
export function liveEvents(c: Context, reader: Reader): Response {
  const headers = { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store" };
  if (c.req.method === "HEAD") return c.body(null, 200, headers);
  if (listeners >= MOST_LISTENERS) return c.text("Cannot serve more live pages: close one\n", 503);
  listeners++;
  const encoder = new TextEncoder();
  let timer: ReturnType<typeof setInterval> | undefined;
  let told = "";
  let toldAt = 0;
  const end = () => {
    if (timer === undefined) return;
    clearInterval(timer);
    timer = undefined;
    listeners--;
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const tell = () => {
        try {
          // A receiver that does not keep up gets the newest state later, instead of a queue.
          if ((controller.desiredSize ?? 0) <= 0) return;
          const text = JSON.stringify({ runs: runFragments(reader) });
          if (text !== told) controller.enqueue(encoder.encode(`data: ${text}\n\n`));
          else if (Date.now() - toldAt > BEAT_MS) controller.enqueue(encoder.encode(": still here\n\n"));
          else return;
          told = text;
          toldAt = Date.now();
        } catch {
          end();
        }
      };
      controller.enqueue(encoder.encode("retry: 2000\n\n"));
      timer = setInterval(tell, POLL_MS);
      queueMicrotask(tell);
    },
    cancel: end,
  }, { highWaterMark: 4 });
  return c.body(body, 200, headers);
}
