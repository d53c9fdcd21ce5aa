// deno-lint-ignore-file jsx-key -- pages are rendered once, on the server
/** @jsxImportSource hono/jsx */
/** All experiments of a store, a page at a time. Everything it shows is in its address, so that it can be sent on. */
import { Hash, Moment, Note, Page, PointsText, RateText, State } from "./layout.tsx";
import { type DefinitionRow, type Query, type RunIndex, type Sort, SORTS } from "./run_index.ts";
import type { Scores } from "./scores.ts";
import { overSeeds } from "./seed_summary.ts";

const LIMIT = 50;

const HEADINGS: Record<Sort, string> = {
  experiment: "Experiment",
  state: "State",
  seeds: "Seeds",
  before: "Before",
  after: "After",
  uplift: "Uplift, points",
  created: "Made (UTC)",
};
const COLUMNS: readonly Sort[] = ["experiment", "state", "seeds", "before", "after", "uplift", "created"];

/** The query an address stands for; what it gets wrong is left at its default. */
export function parseQuery(search: URLSearchParams): Query {
  const sort = SORTS.find((each) => each === search.get("sort")) ?? "created";
  const state = search.get("state");
  const page = Number(search.get("page") ?? "1");
  return {
    text: (search.get("q") ?? "").slice(0, 200),
    experiment: search.get("experiment") ?? "",
    state: state === "done" || state === "partly" ? state : "",
    sort,
    descending: search.has("order") ? search.get("order") === "down" : sort !== "experiment",
    offset: Number.isSafeInteger(page) && page > 1 ? (page - 1) * LIMIT : 0,
    limit: LIMIT,
  };
}

/** The address of a query. */
function address(query: Query): string {
  const search = new URLSearchParams();
  if (query.text !== "") search.set("q", query.text);
  if (query.experiment !== "") search.set("experiment", query.experiment);
  if (query.state !== "") search.set("state", query.state);
  if (query.sort !== "created") search.set("sort", query.sort);
  if (query.descending !== (query.sort !== "experiment")) {
    search.set("order", query.descending ? "down" : "up");
  }
  if (query.offset > 0) search.set("page", String(query.offset / LIMIT + 1));
  const text = search.toString();
  return text === "" ? "/" : `/?${text}`;
}

/** The page. `running` are the definitions of runs that go on. */
export function ExperimentsPage({ index, query, running, never }: {
  index: RunIndex;
  query: Query;
  running: ReadonlySet<string>;
  /** Experiments of the repository that have no run here. */
  never: readonly string[];
}) {
  const { rows, total } = index.list(query);
  const pages = Math.max(1, Math.ceil(total / LIMIT));
  const page = query.offset / LIMIT + 1;
  return (
    <Page title="Experiments" here="experiments">
      <Filters index={index} query={query} />
      {index.damaged.length > 0 && (
        <Note kind="problem">
          {`${index.damaged.length} ${
            index.damaged.length === 1 ? "record" : "records"
          } left out, damaged or of another version of the store (${
            index.damaged.slice(0, 3).join(", ")
          }): ` +
            "exp fsck tells which"}
        </Note>
      )}
      <p class="quiet">
        {total === 0
          ? "Nothing here yet that fits: exp run NAME makes a result, fewer filters show more."
          : `${total} ${
            total === 1 ? "definition" : "definitions"
          }, page ${page} of ${pages}. A line is one question ` +
            "(name, version, hyperparameters); its seeds are repetitions. Rates with 95 % intervals: over the episodes " +
            "of one seed, or Student's over the means of several."}
      </p>
      {index.pending > 0 && (
        <Note>
          {`Scores of ${index.pending} runs without a report are still being read: load the page again`}
        </Note>
      )}
      {rows.length > 0 && <List rows={rows} query={query} running={running} />}
      {pages > 1 && (
        <nav class="pages" aria-label="Pages of the list">
          {page > 1 && (
            <a rel="prev" href={address({ ...query, offset: query.offset - LIMIT })}>Earlier page</a>
          )}
          <span>{`${query.offset + 1}–${Math.min(total, query.offset + LIMIT)} of ${total}`}</span>
          {page < pages && (
            <a rel="next" href={address({ ...query, offset: query.offset + LIMIT })}>Next page</a>
          )}
        </nav>
      )}
      {never.length > 0 && <p class="quiet">{`In the repository and never run here: ${never.join(", ")}`}</p>}
    </Page>
  );
}

function Filters({ index, query }: { index: RunIndex; query: Query }) {
  return (
    <form class="filters" method="get" action="/" role="search">
      <label>
        Words <input type="search" name="q" value={query.text} placeholder="name, setting or hash" />
      </label>
      <label>
        Experiment{" "}
        <select name="experiment">
          <option value="">all</option>
          {index.experiments().map((name) => (
            <option value={name} selected={name === query.experiment}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        State{" "}
        <select name="state">
          {([["", "all"], ["done", "done"], ["partly", "unfinished"]] as const).map(([value, name]) => (
            <option value={value} selected={value === query.state}>{name}</option>
          ))}
        </select>
      </label>
      {query.sort !== "created" && <input type="hidden" name="sort" value={query.sort} />}
      {query.sort !== "created" && (
        <input type="hidden" name="order" value={query.descending ? "down" : "up"} />
      )}
      <button type="submit">Show</button>
    </form>
  );
}

function List(
  { rows, query, running }: { rows: DefinitionRow[]; query: Query; running: ReadonlySet<string> },
) {
  return (
    <form action="/compare" method="get">
      <div class="scroll" tabindex={0} role="group" aria-label="Experiments">
        <table class="list">
          <thead>
            <tr>
              <th scope="col">
                <span class="hidden">Compare</span>
              </th>
              {COLUMNS.map((sort) => <SortHead sort={sort} query={query} />)}
            </tr>
          </thead>
          <tbody>{rows.map((row) => <Row row={row} running={running.has(row.definition)} />)}</tbody>
        </table>
      </div>
      <p>
        <button type="submit">Compare those marked</button>
      </p>
    </form>
  );
}

function SortHead({ sort, query }: { sort: Sort; query: Query }) {
  const here = query.sort === sort;
  const descending = here ? !query.descending : sort !== "experiment";
  const mark = here ? (query.descending ? " ↓" : " ↑") : "";
  return (
    <th scope="col" aria-sort={here ? (query.descending ? "descending" : "ascending") : undefined}>
      <a href={address({ ...query, sort, descending, offset: 0 })}>{HEADINGS[sort] + mark}</a>
    </th>
  );
}

function Row({ row, running }: { row: DefinitionRow; running: boolean }) {
  const done = row.seeds.filter((seed) => seed.done).length;
  const state = running ? "running" : done === row.seeds.length ? "done" : "partly";
  const scores = row.seeds.flatMap(({ scores }) => scores ?? []);
  const summary = overSeeds(scores);
  const named = (pick: (score: Scores) => string | null) =>
    [...new Set(scores.flatMap((s) => pick(s) ?? []))].join();
  const href = `/experiments/${row.definition}`;
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          name="of"
          value={row.definition}
          aria-label={`Compare ${row.experiment} ${row.definition.slice(0, 8)}`}
        />
      </td>
      <th scope="row">
        <a href={href}>{row.experiment}</a> <span class="quiet">{`v${row.version}`}</span>{" "}
        <Hash hash={row.definition} />
        {row.changed.length > 0 && (
          <div class="changed">
            {row.changed.slice(0, 4).join(", ")}
            {row.changed.length > 4 ? `, and ${row.changed.length - 4} more` : ""}
          </div>
        )}
      </th>
      <td>
        <State state={state} />
      </td>
      <td>
        {row.seeds.map(({ seed, done, made }) => (
          <a
            href={`${href}?seed=${seed}`}
            class={done ? "seed" : "seed open"}
            title={`${made} of ${row.stages} stages`}
          >
            {seed}
          </a>
        ))}
      </td>
      <td title={named((s) => s.before)}>
        <RateText {...summary.before} />
      </td>
      <td title={named((s) => s.after)}>
        <RateText {...summary.after} />
      </td>
      <td>
        <PointsText difference={summary.uplift.rate} bounds={summary.uplift.bounds} />
        {scores.length > 1 && <span class="quiet">{` n = ${scores.length}`}</span>}
      </td>
      <td>
        <Moment at={row.created} />
      </td>
    </tr>
  );
}
