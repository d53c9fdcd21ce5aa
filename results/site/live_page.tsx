// deno-lint-ignore-file jsx-key -- pages are rendered once, on the server
/** @jsxImportSource hono/jsx */
/** What runs now: progress, rate, time left, current success. The same markup is sent again whenever it changes. */
import type { RunProgress, StageProgress } from "../../lab/progress_file.ts";
import { duration, percent } from "../format.ts";
import { Hash, Moment, Page, State, Table } from "./layout.tsx";
import type { Reader } from "./reader.ts";
import { isRunning } from "./run_view.ts";

/** Runs that ended this recently are still shown. */
const RECENT_MS = 10 * 60_000;

/** The page. Without JavaScript it loads itself again. */
export function LivePage({ reader }: { reader: Reader }) {
  const fragments = Object.entries(runFragments(reader));
  return (
    <Page title="Live" here="live" scripts={["live.js"]} charts reload={5}>
      <p class="quiet">
        What runs in this store, and what ended in the last ten minutes. The page may be closed and the server
        stopped: runs do not notice.
      </p>
      <div data-live="all" aria-live="off">
        {fragments.length === 0
          ? <p class="empty">Nothing runs.</p>
          : fragments.map(([id, html]) => (
            <article class="run" data-run={id} dangerouslySetInnerHTML={{ __html: html }}></article>
          ))}
      </div>
      <p class="quiet" data-live-state>
        <noscript>Loaded again every five seconds.</noscript>
      </p>
    </Page>
  );
}

/** Each run as HTML by `<definition>-<seed>`, the last started first. */
export function runFragments(reader: Reader, now = Date.now()): Record<string, string> {
  const shown = reader.progress().map(({ progress }) => progress)
    .filter((each) => isRunning(each, now) || now - Date.parse(each.updated) < RECENT_MS)
    .sort((a, b) => b.started.localeCompare(a.started));
  return Object.fromEntries(
    shown.map((
      run,
    ) => [`${run.definition}-${run.seed}`, String(<Run run={run} running={isRunning(run, now)} />)]),
  );
}

function Run({ run, running }: { run: RunProgress; running: boolean }) {
  const { experiment, definition, seed, stages, total, ended } = run;
  const finished = stages.filter(({ state }) => state === "hit" || state === "run").length;
  const failed = stages.some(({ state }) => state === "failed");
  const state = running
    ? "running"
    : !ended
    ? "silent"
    : failed
    ? "failed"
    : finished === total
    ? "done"
    : "stopped";
  const busy = stages.filter(({ state }) => state === "running" || state === "waiting" || state === "failed");
  return (
    <>
      <h2>
        <a href={`/experiments/${definition}?seed=${seed}`}>{`${experiment} seed ${seed}`}</a>{" "}
        <State state={state} />
      </h2>
      <p class="quiet">
        <Hash hash={definition} /> on {run.host}, process {run.pid}, began <Moment at={run.started} /> UTC
        {state === "silent" && ", and no word since "}
        {state === "silent" && <Moment at={run.updated} />}
      </p>
      <p>
        <progress max={total} value={finished} aria-label="Stages"></progress>{" "}
        {`${finished} of ${total} stages`}
      </p>
      {busy.length > 0 && (
        <Table
          caption="Stages at work"
          head={["Stage", "State", "Done", "Rate", "Time left", "Success", "Note"]}
          align="llrrrrl"
          rows={busy.map((stage) => cells(stage))}
        />
      )}
      {busy.filter(({ history }) => (history?.length ?? 0) > 1).map(({ name, history, last }) => (
        <div
          class="chart small"
          data-series={JSON.stringify({ name, unit: last?.unit ?? "", points: history })}
        >
          <span class="quiet">
            {`${name}: success ${
              history!.slice(-5).map(([done, rate]) => `${percent(rate, 0)} at ${done}`).join(", ")
            }`}
          </span>
        </div>
      ))}
    </>
  );
}

function cells({ name, state, key, last, rate, error }: StageProgress) {
  const left = last && rate && rate > 0 ? duration((last.total - last.done) / rate) : "–";
  return [
    key === null ? name : <a href={`/stages/${key}`}>{name}</a>,
    <State state={state} />,
    last
      ? (
        <>
          <progress max={last.total} value={last.done} aria-label={`${name} progress`}></progress>{" "}
          {`${last.done}/${last.total} ${last.unit}`}
        </>
      )
      : "–",
    rate ? `${rate.toPrecision(3)}/s` : "–",
    state === "running" ? left : "–",
    last?.success === undefined ? "–" : percent(last.success),
    error ?? last?.note ?? "",
  ];
}
