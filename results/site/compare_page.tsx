// deno-lint-ignore-file jsx-key -- pages are rendered once, on the server
/** @jsxImportSource hono/jsx */
/** Two or more runs side by side: success, what differs in what was asked, and for two of them the difference in full. */
import { firstLine } from "../../lab/errors.ts";
import { Store } from "../../lab/store.ts";
import type { Subject } from "../../lab/subject.ts";
import { forest } from "../charts.ts";
import { type Difference, difference, isSame } from "../difference.ts";
import { METRICS, type Section, sections } from "../difference_text.ts";
import { valueDifferences } from "../graph_difference.ts";
import { Figure, Hash, Note, Page, Table } from "./layout.tsx";
import { HASH, type Reader } from "./reader.ts";
import type { RunIndex } from "./run_index.ts";
import { reportOf, type RunView, viewRun } from "./run_view.ts";

const MOST = 8;

interface Compared {
  readonly name: string;
  readonly view: RunView;
}

/** The page. `of=<definition>[@<seed>]`, once for each run. */
export function comparePage(
  search: URLSearchParams,
  reader: Reader,
  index: RunIndex,
): unknown {
  const asked = [...new Set(search.getAll("of"))];
  index.refresh();
  const problems: string[] = asked.length > MOST
    ? [`Only the first ${MOST} of ${asked.length} are compared`]
    : [];
  const runs = asked.slice(0, MOST).flatMap((text): Compared[] => {
    const found = findRun(text, reader, index);
    if (typeof found === "string") problems.push(found);
    return typeof found === "string" ? [] : [found];
  });
  return (
    <Page title="Compare" here="compare">
      {problems.map((line) => <Note kind="problem">{line}</Note>)}
      {runs.length < 2 ? <Ask index={index} /> : (
        <>
          <Runs runs={runs} search={search} />
          <Success runs={runs} reader={reader} />
          {runs.length === 2 ? <Full runs={runs} reader={reader} /> : <Settings runs={runs} />}
        </>
      )}
    </Page>
  );
}

function findRun(text: string, reader: Reader, index: RunIndex): Compared | string {
  const [definition = "", given] = text.split("@");
  const row = HASH.test(definition) ? index.definition(definition) : undefined;
  if (!row) return `There is no experiment "${text.slice(0, 100)}"`;
  const seed = given === undefined ? row.seeds[0]!.seed : Number(given);
  const view = viewRun(reader, definition, seed);
  if (view === "missing") {
    return `${row.experiment} ${definition.slice(0, 8)} has no seed "${String(given).slice(0, 20)}"`;
  }
  if (view === "damaged") return `The record of ${row.experiment} seed ${seed} is damaged: run exp fsck`;
  return { name: `${row.experiment} ${definition.slice(0, 6)} seed ${seed}`, view };
}

function Ask({ index }: { index: RunIndex }) {
  const { rows } = index.list({
    text: "",
    experiment: "",
    state: "",
    sort: "created",
    descending: true,
    offset: 0,
    limit: 30,
  });
  const options = rows.flatMap(({ definition, experiment, seeds }) =>
    seeds.map(({ seed }) => ({
      value: `${definition}@${seed}`,
      name: `${experiment} ${definition.slice(0, 6)} seed ${seed}`,
    }))
  );
  return (
    <form class="filters" method="get" action="/compare">
      {["First", "Second"].map((label) => (
        <label>
          {label}{" "}
          <select name="of">{options.map(({ value, name }) => <option value={value}>{name}</option>)}</select>
        </label>
      ))}
      <button type="submit">Compare</button>
      <p class="quiet">The newest runs. Any number can be marked in the list of experiments.</p>
    </form>
  );
}

function Runs({ runs, search }: { runs: readonly Compared[]; search: URLSearchParams }) {
  const without = (at: number) => {
    const rest = search.getAll("of").filter((_, i) => i !== at);
    return `/compare?${rest.map((each) => `of=${encodeURIComponent(each)}`).join("&")}`;
  };
  return (
    <Table
      caption="Runs"
      head={["Run", "Version", "Definition", "Result", "Stages", ""]}
      align="lrllrl"
      rows={runs.map(({ name, view: { record: { plan, result }, stages } }, i) => [
        <a href={`/experiments/${plan.definition}?seed=${plan.seed}`}>{name}</a>,
        plan.version,
        <Hash hash={plan.definition} />,
        result === null ? "–" : <Hash hash={result} />,
        `${stages.filter(({ state }) => state === "done").length}/${stages.length}`,
        runs.length > 2 ? <a href={without(i)}>leave out</a> : "",
      ])}
    />
  );
}

function Success({ runs, reader }: { runs: readonly Compared[]; reader: Reader }) {
  const reports = runs.flatMap(({ name, view }) => {
    const report = reportOf(reader, view);
    return report ? [{ name, report }] : [];
  });
  const labels = [...new Set(reports.flatMap(({ report }) => report.policies.map(({ label }) => label)))];
  if (labels.length === 0) return <p class="quiet">None of them has a report of success.</p>;
  const groups = labels.map((label, i) => ({
    heading: label,
    rows: reports.flatMap(({ name, report }) => {
      const policy = report.policies.find((each) => each.label === label);
      return policy
        ? [{
          label: name,
          interval: policy.interval,
          count: `${policy.successes}/${policy.episodes}`,
          colour: i,
        }]
        : [];
    }),
  }));
  return (
    <Figure
      svg={forest({
        title: "Success",
        subtitle: "held-out initial states, 95 % intervals over episodes",
        groups,
      })}
      caption="By policy, one line a run."
    />
  );
}

/** What was asked differently, one column a run. */
function Settings({ runs }: { runs: readonly Compared[] }) {
  const first = runs[0]!.view.record.plan.hyperparameters;
  const others = runs.slice(1).map(({ view }) => valueDifferences(first, view.record.plan.hyperparameters));
  const paths = [...new Set(others.flatMap((each) => each.map(({ path }) => path)))];
  const text = (value: unknown) => value === undefined ? "absent" : JSON.stringify(value);
  return (
    <section>
      <h2>Hyperparameters that differ</h2>
      {paths.length === 0 ? <p class="quiet">None: they differ in seed or code only.</p> : (
        <Table
          head={["Path", ...runs.map(({ name }) => name)]}
          align={"l" + "r".repeat(runs.length)}
          rows={paths.map((path) => {
            const own = others.flatMap((each) => each.find((row) => row.path === path) ?? [])[0]!;
            return [
              <code>{path}</code>,
              <code>{text(own.a)}</code>,
              ...others.map((each) => {
                const found = each.find((row) => row.path === path);
                return found
                  ? (
                    <b>
                      <code>{text(found.b)}</code>
                    </b>
                  )
                  : <code>{text(own.a)}</code>;
              }),
            ];
          })}
        />
      )}
    </section>
  );
}

/** The five levels of `exp diff`. */
function Full({ runs, reader }: { runs: readonly Compared[]; reader: Reader }) {
  try {
    const found = differenceOf(runs, reader);
    return (
      <>
        {isSame(found) && (
          <Note>{`No difference: ${found.outputs.equal} outputs are equal in every byte.`}</Note>
        )}
        {sections(found).map((section) => <Level section={section} />)}
      </>
    );
  } catch (error) {
    return <Note kind="problem">{firstLine(error)}</Note>;
  }
}

const differences = new Map<string, Difference>();
const KEPT = 16;

/** The difference of two runs; of finished ones it is kept, since weights take seconds to compare. */
function differenceOf(runs: readonly Compared[], reader: Reader): Difference {
  const results = runs.map(({ view: { record: { plan, result } } }) =>
    `${plan.definition}-${plan.seed}-${result}`
  );
  const name = results.join();
  const known = differences.get(name);
  if (known) return known;
  const [a, b] = runs.map((run) => subject(run, reader));
  // Only its objects and sources are read: nothing is opened for writing.
  using store = Store.open(reader.directory);
  const found = difference(a!, b!, store);
  if (runs.some(({ view }) => view.record.result === null)) return found;
  if (differences.size >= KEPT) differences.delete(differences.keys().next().value!);
  differences.set(name, found);
  return found;
}

function Level({ section: { title, lines, rows = [] } }: { section: Section }) {
  return (
    <section>
      <h2>{title}</h2>
      {lines.length > 0 && (
        <ul class="differences">
          {lines.map(({ text, details = [], hunks }) => (
            <li>
              <code>{text}</code>
              {details.length > 0 && <ul>{details.map((each) => <li>{each}</li>)}</ul>}
              {hunks && (
                <pre class="hunks" tabindex={0}>{hunks.split("\n").map((line) => <Hunk line={line} />)}</pre>
              )}
            </li>
          ))}
        </ul>
      )}
      {rows.length > 0 && <Table head={METRICS} align="lrlrlrlrr" rows={rows} />}
    </section>
  );
}

function Hunk({ line }: { line: string }) {
  const kind = line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : undefined;
  return kind ? <span class={kind}>{line + "\n"}</span> : <>{line + "\n"}</>;
}

function subject({ name, view: { record: { plan, result }, stages } }: Compared, reader: Reader): Subject {
  const keys = stages.map(({ key }) => key === null ? "missing" as const : reader.key(key));
  return {
    label: name,
    plan,
    result,
    stages: stages.map(({ stage, outcome }, i) => {
      const key = keys[i]!;
      return { stage, outcome, key: key === "missing" || key === "damaged" ? null : key.value };
    }),
    code: (stage) => {
      const key = keys[stages.findIndex((each) => each.stage.name === stage)];
      if (key === undefined || key === "missing" || key === "damaged") return undefined;
      return { modules: key.value.modules, packages: key.value.preimage.packages };
    },
  };
}
