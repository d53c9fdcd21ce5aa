/** @jsxImportSource hono/jsx */
/** One experiment: its question, graph, success, learning, hyperparameters and budget; seeds side by side. */
import { duration } from "../format.ts";
import { figures, type Report } from "../report.ts";
import { needs } from "../../lab/runner.ts";
import { markdownReport } from "../report_text.ts";
import { graphSvg } from "./graph_svg.ts";
import { Figure, Hash, Moment, Note, Page, size, State } from "./layout.tsx";
import { Ledger } from "./ledger.tsx";
import { LearningCurves } from "./learning_curves.tsx";
import { Hyperparameters } from "./hyperparameters.tsx";
import type { Reader } from "./reader.ts";
import type { DefinitionRow, RunIndex } from "./run_index.ts";
import { reportOf, type RunView, type StageView } from "./run_view.ts";
import { SuccessTables } from "./success_tables.tsx";

/** The page of a definition, with one of its seeds in view. */
export function ExperimentPage({ row, view, reader, index, metric }: {
  row: DefinitionRow;
  view: RunView;
  reader: Reader;
  index: RunIndex;
  /** The column the learning curves show; the first there is where it is empty. */
  metric: string;
}) {
  const { record: { plan, result, created }, stages } = view;
  const { definition, experiment, version, seed } = plan;
  const report = reportOf(reader, view);
  const svgs = report ? figures(report) : {};
  const done = stages.filter(({ state }) => state === "done").length;
  const state = view.running ? "running" : done === stages.length ? "done" : "partly";
  return (
    <Page
      title={`${experiment}, version ${version}`}
      here="experiments"
      trail={[["Experiments", "/"], [experiment, `/?experiment=${encodeURIComponent(experiment)}`]]}
      scripts={["charts.js", ...(view.running ? ["live.js"] : [])]}
      charts
    >
      <p class="lead">{plan.summary}</p>
      <nav class="seeds" aria-label="Seeds">
        {row.seeds.map((each) => (
          <a
            href={`/experiments/${definition}?seed=${each.seed}`}
            aria-current={each.seed === seed ? "page" : undefined}
          >
            {`seed ${each.seed}${each.done ? "" : " (unfinished)"}`}
          </a>
        ))}
        <a href={`/compare?${row.seeds.map((each) => `of=${definition}@${each.seed}`).join("&")}`}>
          all seeds compared
        </a>
      </nav>
      <dl class="facts">
        <dt>State</dt>
        <dd>
          <State state={state} />
          {` ${done} of ${stages.length} stages in the store`}
        </dd>
        <dt>Definition</dt>
        <dd>
          <Hash hash={definition} />
        </dd>
        <dt>Result</dt>
        <dd>{result === null ? "–" : <Hash hash={result} />}</dd>
        <dt>Recorded</dt>
        <dd>
          <Moment at={created} /> UTC
        </dd>
        <dt>Again</dt>
        <dd>
          <code>{commandOf(view)}</code>
        </dd>
      </dl>
      {stages.some(({ state }) => state === "gone") && (
        <Note kind="problem">
          {`Outcomes of ${
            stages.filter(({ state }) => state === "gone").map(({ stage }) => stage.name).join(", ")
          } ` +
            "are missing or damaged: exp fsck says which objects, the next run makes them again"}
        </Note>
      )}
      {view.running && (
        <section aria-labelledby="now">
          <h2 id="now">Now</h2>
          <div data-live={`${definition}-${seed}`}>
            <p>
              <a href="/live">Progress, rate and time left</a>
            </p>
          </div>
        </section>
      )}
      {report ? <Success report={report} svgs={svgs} /> : <NoReport view={view} />}
      <section aria-labelledby="graph">
        <h2 id="graph">Stages</h2>
        <Figure
          svg={graphSvg(stages.map((each) => ({
            name: each.stage.name,
            needs: needs(each.stage),
            state: each.state,
            detail: detailOf(each),
            ...(each.key === null ? {} : { href: `/stages/${each.key}` }),
          })))}
          caption="Each box is a stage and leads to its key, outputs and log; lines are data. The ledger below says the same as a table."
        />
      </section>
      <LearningCurves view={view} row={row} reader={reader} metric={metric} />
      <Hyperparameters plan={plan} />
      <Ledger view={view} index={index} />
    </Page>
  );
}

function Success({ report, svgs }: { report: Report; svgs: Readonly<Record<string, string>> }) {
  return (
    <section aria-labelledby="success">
      <h2 id="success">Success</h2>
      {svgs.success && <Figure svg={svgs.success} />}
      {svgs.success_by_task && <Figure svg={svgs.success_by_task} caption="By task." />}
      <SuccessTables report={report} />
      <details>
        <summary>The whole report, as Markdown</summary>
        <pre tabindex={0}>{markdownReport(report, [])}</pre>
      </details>
    </section>
  );
}

function NoReport({ view: { record: { plan, result } } }: { view: RunView }) {
  if (Object.keys(plan.evaluations).length === 0) {
    return <p class="quiet">This experiment evaluates nothing.</p>;
  }
  return (
    <p class="quiet">
      {result === null
        ? "No success yet: the report is made when all stages are."
        : "The report cannot be made again: outputs it needs are gone."}
    </p>
  );
}

/** "2.9 s · 1.2 MiB", or how far it is. */
function detailOf({ state, outcome, progress }: StageView): string {
  if (outcome) {
    const bytes = Object.values(outcome.outputs).reduce((sum, output) => sum + output.bytes, 0);
    return `${state} · ${duration(outcome.seconds)} · ${size(bytes)}`;
  }
  const last = progress?.last;
  return state === "running" && last ? `running · ${Math.floor(100 * last.done / last.total)} %` : state;
}

/** The command that asks for this run again. */
function commandOf({ record: { plan: { experiment, request, seed } } }: RunView): string {
  const word = (text: string) => /^[\w./=:@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  return [
    `exp run ${experiment} --seed ${seed}`,
    ...(request.preset === undefined ? [] : [`--preset ${word(request.preset)}`]),
    ...(request.params === undefined ? [] : ["--params FILE.yaml"]),
    ...request.set.map((each) => `--set ${word(each)}`),
  ].join(" ");
}
