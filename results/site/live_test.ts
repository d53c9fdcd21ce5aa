import assert from "node:assert/strict";
import { start, temporary, TINY } from "../../tests/lab_command.ts";
import { createSite } from "./app.tsx";

/** Reads events until one fits; gives up after `limitMs`. */
async function until(site: ReturnType<typeof createSite>, fits: (html: string) => boolean, limitMs = 20_000) {
  const answer = await site.request("http://localhost/live/events");
  assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  const deadline = performance.now() + limitMs;
  let text = "";
  try {
    while (performance.now() < deadline) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
      const events = text.split("\n\n").filter((each) => each.startsWith("data: "));
      for (const each of events) {
        const { runs } = JSON.parse(each.slice("data: ".length)) as { runs: Record<string, string> };
        const html = Object.values(runs).join("\n");
        if (fits(html)) return html;
      }
    }
  } finally {
    await reader.cancel();
  }
  return assert.fail(`no such event, last: ${text.slice(-2000)}`);
}

Deno.test("the live page follows a run that is going, through a restart of the server, to its end", async () => {
  await using folder = await temporary();
  const store = `${folder.path}/store`;
  const run = start([
    "run",
    "tiny-walks",
    ...TINY,
    "--store",
    store,
    "--set",
    "learner.pauseMs=10",
    "--set",
    "learner.steps=150",
  ]);
  const first = createSite({ store });
  const html = await until(first, (html) => /<progress max="150" value="[1-9]/.test(html));
  assert.match(html, /tiny-walks seed 0/);
  assert.match(html, /class="state running">running/);
  assert.match(html, /\d\/s/, "a rate");
  assert.match(html, /[\d.]+ s<\/td>/, "time left");
  const [, definition] = /experiments\/([0-9a-f]{64})/.exec(html)!;
  // Another server that knows nothing of the first shows the same run at once, and so does its page.
  const second = createSite({ store });
  const page = await (await second.request(`http://localhost/experiments/${definition}`)).text();
  assert.match(page, /class="state running">running/);
  assert.match(page, /node (running|waiting|absent)/);
  assert.match(await (await second.request("http://localhost/live")).text(), /tiny-walks seed 0/);
  const last = await until(second, (html) => /class="state done">done/.test(html));
  assert.match(last, /4 of 4 stages/);
  assert.equal((await run.ended).code, 0);
  assert.match(
    await (await second.request(`http://localhost/experiments/${definition}`)).text(),
    /4 of 4 stages in the store/,
  );
});

Deno.test("a run whose process was killed is shown as silent, not as running", async () => {
  await using folder = await temporary();
  await Deno.mkdir(`${folder.path}/progress`);
  const definition = "ab".repeat(32);
  const told = {
    kind: "uplift/progress",
    experiment: "<b>walks</b>",
    definition,
    seed: 0,
    pid: 1,
    host: "here",
    started: new Date(Date.now() - 100_000).toISOString(),
    updated: new Date(Date.now() - 60_000).toISOString(),
    ended: false,
    total: 4,
    stages: [{ name: "left", state: "running", key: null, since: null }],
  };
  await Deno.writeTextFile(`${folder.path}/progress/${definition}-0.json`, JSON.stringify(told));
  const html = await (await createSite({ store: folder.path }).request("http://localhost/live")).text();
  assert.match(html, /class="state silent">silent/);
  assert.match(html, /&lt;b&gt;walks/);
});
