import assert from "node:assert/strict";
import { encodeEpisodes } from "../../data/episodes_arrow.ts";
import type { Episode } from "../../data/episode.ts";
import { openTabletop } from "../../envs/tabletop.ts";
import { Expert } from "../../envs/tabletop_expert.ts";
import { ndarray } from "../../ndarray.ts";
import { stream } from "../../random.ts";
import { chromium, Page } from "../../tests/chromium.ts";
import { start, temporary, TINY } from "../../tests/lab_command.ts";
import { addRun, trialStore } from "../../tests/trial_store.ts";
import { createSite } from "./app.tsx";

const TASK = "between_plate_and_ramekin";

/** An episode as evaluations store it, actions alone: the expert's, or half as large ones, which miss. */
async function episode(scale: number): Promise<Uint8Array> {
  using environment = await openTabletop(TASK);
  const state = { split: "evaluation", index: 3 } as const;
  const expert = new Expert(environment.task, stream(0, "browser"), { noise: false });
  let observation = environment.reset(state);
  const actions: number[] = [];
  const bases: number[] = [];
  let success = false;
  let length = 0;
  while (!success && length < 120) {
    const base = Float32Array.from(expert.act(observation));
    const action = base.map((x, i) => i < 6 ? scale * x : x);
    bases.push(...base);
    actions.push(...action);
    const step = environment.step(action);
    [observation, success] = [step.observation, step.success];
    length++;
    if (step.truncated) break;
  }
  const columns = {
    action: ndarray([length, 7], Float32Array.from(actions)),
    base: ndarray([length, 7], Float32Array.from(bases)),
  };
  const { roles } = environment.task;
  const made: Episode = { task: TASK, roles, ...state, success, length, columns, tags: { noise: 0 } };
  return encodeEpisodes([made]);
}

const path = chromium();

Deno.test({
  name:
    "in a browser: charts, two replays in step, deep links, back, downloads, live; no error, nothing leaves",
  ignore: path === undefined,
  // The browser's pipes outlive the test by a moment.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    using at = trialStore();
    const episodes = { "episodes.expert": await episode(1), "episodes.half": await episode(0.5) };
    const { definition, keys } = addRun(at.store, {
      experiment: "reach",
      definition: "a1",
      seed: 0,
      episodes,
    });
    const digest = (name: string) => at.store.outcome(keys[name]!)!.outputs.out!.digest;
    const handle = createSite({ store: at.directory }).fetch;
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handle);
    const base = `http://127.0.0.1:${server.addr.port}`;
    try {
      await using page = await Page.open(path!, base);
      await page.goto(`${base}/experiments/${definition}`);
      await page.until("document.querySelector('.chart .uplot canvas')");
      assert.ok(await page.evaluate("document.querySelectorAll('svg.graph .node').length === 6"));

      const beside = digest("episodes.half");
      const replay = `/episodes/${digest("episodes.expert")}?run=${definition}-0&episode=0&beside=${beside}`;
      await page.goto(`${base}${replay}#step=20`);
      await page.until("document.querySelector('[data-ready]')", 60_000);
      const notes = "[...document.querySelectorAll('.view p')].map((p) => p.dataset.same)";
      assert.deepEqual(await page.evaluate(notes), ["yes", "yes"], "both end as recorded");
      assert.match(await page.evaluate("document.querySelector('output').textContent"), /^step 20 of /);
      assert.ok(await page.evaluate("document.querySelectorAll('.series .uplot').length === 6"));
      const settled = () => page.evaluate("new Promise((r) => setTimeout(r, 300))");
      await settled();
      const before = await page.screenshot();
      await page.evaluate(`(() => {
        const slider = document.querySelector("input[type=range]");
        slider.value = 60;
        slider.dispatchEvent(new Event("input"));
      })()`);
      await settled();
      assert.notDeepEqual(await page.screenshot(), before, "the replay moves");
      await page.evaluate("document.querySelector('.transport button').click()");
      await page.until("Number(document.querySelector('input[type=range]').value) > 64");

      await page.goto(`${base}/stages/${keys.train}`);
      const downloaded = `(async () => {
        const link = document.querySelector("a[download]");
        const bytes = await (await fetch(link.href)).arrayBuffer();
        const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
        return "sha256:" + [...hash].map((b) => b.toString(16).padStart(2, "0")).join("");
      })()`;
      assert.equal(await page.evaluate(downloaded), digest("train"));
      await page.evaluate("history.back()");
      await page.until(
        "location.pathname.startsWith('/episodes/') && document.querySelector('[data-ready]')",
        60_000,
      );
      for (const each of ["/", "/matrix", "/compare", `/compare?of=${definition}&of=${definition}@0`]) {
        await page.goto(base + each);
      }
      assert.deepEqual(page.problems, []);
    } finally {
      await server.shutdown();
    }
  },
});

Deno.test({
  name:
    "in a browser: the live page follows a run without being loaded again, through a restart of the server",
  ignore: path === undefined,
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await using folder = await temporary();
    const store = `${folder.path}/store`;
    const port = freePort();
    const serve = () => start(["serve", "--store", store, "--port", String(port)]);
    let server = serve();
    const pause = ["--set", "learner.pauseMs=20", "--set", "learner.steps=300"];
    const run = start(["run", "tiny-walks", ...TINY, "--store", store, ...pause]);
    try {
      await answering(port);
      await using page = await Page.open(path!, `http://127.0.0.1:${port}`);
      await page.goto(`http://127.0.0.1:${port}/live`);
      await page.evaluate("window.same = true");
      const done = "Number(document.querySelector('td progress')?.value ?? 0)";
      const early = await page.until<number>(done);
      assert.ok(await page.until<number>(`${done} > ${early} && ${done}`) > early);
      server.kill("SIGKILL");
      await server.ended;
      await page.until("/asking again/.test(document.querySelector('[data-live-state]').textContent)");
      server = serve();
      await page.until("document.querySelector('.run .state.done')", 30_000);
      assert.ok(await page.evaluate("window.same"), "the page is the one that was loaded first");
    } finally {
      assert.equal((await run.ended).code, 0);
      server.kill("SIGTERM");
      assert.equal((await server.ended).code, 0, "a server that is told to stop stops");
    }
  },
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Waits until a server answers. */
async function answering(port: number): Promise<void> {
  for (let i = 0; i < 150; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/live`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail("the server did not come up");
}
