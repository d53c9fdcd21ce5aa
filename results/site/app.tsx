/** @jsxImportSource hono/jsx */
/** The site: which address shows what. It reads one store and changes nothing. */
import { Hono } from "hono";
import type { Context } from "hono";
import { firstLine, StoreError } from "../../lab/errors.ts";
import { asset, WORKER } from "./assets.ts";
import { sendObject } from "./byte_ranges.ts";
import { comparePage } from "./compare_page.tsx";
import { ExperimentPage } from "./experiment_page.tsx";
import { ExperimentsPage, parseQuery } from "./experiments_page.tsx";
import { episodeDocument, EpisodesPage } from "./episodes_page.tsx";
import { Note, Page } from "./layout.tsx";
import { BUCKETS, curvesOf, curveTables } from "./learning_curves.tsx";
import { liveEvents } from "./live_events.ts";
import { LivePage } from "./live_page.tsx";
import { MatrixPage } from "./matrix_page.tsx";
import { HASH, Reader } from "./reader.ts";
import { RunIndex } from "./run_index.ts";
import { runningNow, viewRun } from "./run_view.ts";
import { type Access, guard, WORKER_POLICY } from "./security.ts";
import { StagePage } from "./stage_page.tsx";

/** What a site is about. */
export interface SiteOptions extends Access {
  /** The store's folder; it need not exist yet. */
  readonly store: string;
  /** Names of the experiments that could be run. */
  readonly experiments?: readonly string[];
}

/** The site of a store. */
export function createSite({ store, experiments = [], ...access }: SiteOptions): Hono {
  const reader = new Reader(store);
  const index = new RunIndex(reader);
  // Now, so that the first page does not wait for it.
  index.refresh(true);
  const site = new Hono();
  site.use(guard(access));

  site.get("/", (c) => {
    const query = parseQuery(new URL(c.req.url).searchParams);
    const running = new Set(runningNow(reader).map(({ definition }) => definition));
    index.refresh();
    const known = new Set(index.experiments());
    const never = experiments.filter((name) => !known.has(name));
    return show(c, <ExperimentsPage index={index} query={query} running={running} never={never} />);
  });

  site.get("/experiments/:definition", (c) => {
    const definition = c.req.param("definition");
    index.refresh();
    const row = index.definition(definition);
    if (!row) return missing(c, "experiment", definition);
    const asked = c.req.query("seed");
    const seed = asked === undefined ? row.seeds[0]!.seed : Number(asked);
    const view = viewRun(reader, definition, seed);
    if (view === "missing") return missing(c, "seed", asked ?? "");
    if (view === "damaged") return damaged(c, `The record of seed ${seed}`);
    const metric = c.req.query("metric") ?? "";
    return show(c, <ExperimentPage row={row} view={view} reader={reader} index={index} metric={metric} />);
  });

  site.get("/experiments/:definition/curves.json", (c) => {
    const row = index.definition(c.req.param("definition"));
    if (!row) return c.json({ error: "Cannot find that experiment" }, 404);
    const unit = c.req.query("unit");
    const curves = curvesOf(curveTables(reader, row), c.req.query("metric") ?? "success", BUCKETS);
    return c.json({ curves: curves.filter((curve) => unit === undefined || curve.unit === unit) });
  });

  site.get("/stages/:key", (c) => {
    const key = c.req.param("key");
    const page = HASH.test(key) ? StagePage({ hash: key, reader, index }) : undefined;
    return page ? show(c, page) : missing(c, "stage", key);
  });

  site.get("/stages/:key/log/:number{[0-9]{1,6}}", (c) => {
    const log = reader.log(c.req.param("key"), Number(c.req.param("number")));
    return log
      ? c.body(Uint8Array.from(log), 200, { "Content-Type": "text/plain; charset=utf-8" })
      : c.notFound();
  });

  site.get("/objects/:digest", (c) => sendObject(c, c.req.param("digest"), reader));

  site.get("/episodes/:digest", async (c) => {
    const page = await EpisodesPage({
      digest: c.req.param("digest"),
      search: new URL(c.req.url).searchParams,
      reader,
      index,
    });
    return page ? show(c, page) : missing(c, "episodes", c.req.param("digest"));
  });

  site.get("/episodes/:digest/:number{[0-9]{1,6}}", async (c) => {
    const document = await episodeDocument(reader, c.req.param("digest"), Number(c.req.param("number")));
    return document ? c.json(document) : c.json({ error: "Cannot find that episode" }, 404);
  });

  site.get(
    "/compare",
    (c) => show(c, comparePage(new URL(c.req.url).searchParams, reader, index)),
  );

  site.get("/matrix", (c) => {
    index.refresh();
    const experiment = c.req.query("experiment") ?? "";
    return show(c, <MatrixPage index={index} reader={reader} experiment={experiment} />);
  });

  site.get("/live", (c) => show(c, <LivePage reader={reader} />));
  site.get("/live/events", (c) => liveEvents(c, reader));

  site.get("/modules/*", async (c) => {
    const path = new URL(c.req.url).pathname.slice("/modules/".length);
    const found = await asset(path);
    if (!found) return c.notFound();
    const { bytes, type, etag } = found;
    const headers: Record<string, string> = {
      "Content-Type": type,
      "ETag": etag,
      "Cache-Control": "no-cache",
    };
    if (path === WORKER) headers["Content-Security-Policy"] = WORKER_POLICY;
    if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
    return c.body(bytes, 200, headers);
  });

  site.notFound((c) => missing(c, "page", new URL(c.req.url).pathname));
  site.onError((error, c) => {
    if (!(error instanceof StoreError)) console.error(error);
    return show(
      c,
      <Page title="This cannot be shown">
        <Note kind="problem">{firstLine(error)}</Note>
        <p>
          The store is as it was: pages only read. <a href="/">To the experiments</a>
        </p>
      </Page>,
      500,
    );
  });
  return site;
}

function show(c: Context, page: unknown, status: 200 | 404 | 410 | 500 = 200): Response {
  return c.html(`<!DOCTYPE html>${String(page)}`, status) as Response;
}

function missing(c: Context, what: string, name: string): Response {
  return show(
    c,
    <Page title="Not found">
      <p>
        {`There is no ${what} "${name.slice(0, 100)}" in this store.`} <a href="/">To the experiments</a>
      </p>
    </Page>,
    404,
  );
}

function damaged(c: Context, what: string): Response {
  return show(
    c,
    <Page title="Damaged">
      <Note kind="problem">
        {`${what} does not match its seal: exp fsck moves it aside, the next run makes it again`}
      </Note>
    </Page>,
    410,
  );
}
