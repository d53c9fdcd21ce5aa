// deno-lint-ignore-file jsx-key -- pages are rendered once, on the server
/** @jsxImportSource hono/jsx */
/** What a run cost, stage by stage, and what of it had been paid for by another run. */
import { count, duration } from "../format.ts";
import { Hash, Moment, size, State, Table } from "./layout.tsx";
import type { KeyUser, RunIndex } from "./run_index.ts";
import type { RunView, StageView } from "./run_view.ts";

/** The run that made a stage's outcome: the first recorded after it. Undefined when no record tells. */
export function makerOf({ key, outcome }: StageView, index: RunIndex): KeyUser | undefined {
  if (key === null || !outcome) return undefined;
  return index.usersOf(key).find(({ created }) => created >= outcome.created);
}

/** The section. */
export function Ledger({ view, index }: { view: RunView; index: RunIndex }) {
  const { plan } = view.record;
  const rows = view.stages.map((each) => ({ ...each, maker: makerOf(each, index) }));
  const own = rows.filter(({ maker, outcome }) =>
    outcome && (!maker || (maker.definition === plan.definition && maker.seed === plan.seed))
  );
  const sum = (name: string, stages: readonly StageView[]) => {
    const total = (of: (each: StageView) => number) => stages.reduce((all, each) => all + of(each), 0);
    return [
      <b>{name}</b>,
      "",
      duration(total(({ outcome }) => outcome?.seconds ?? 0)),
      count(total(({ outcome }) => outcome?.budget.environmentSteps ?? 0)),
      count(total(({ outcome }) => outcome?.budget.gradientSteps ?? 0)),
      size(total(({ outcome }) => outcome ? bytesOf(outcome) : 0)),
      "",
      "",
    ];
  };
  return (
    <section aria-labelledby="budget">
      <h2 id="budget">Budget</h2>
      <Table
        caption="What each stage took when it was made; times are sums over stages, which may have run side by side"
        head={["Stage", "State", "Time", "Environment steps", "Gradient steps", "Outputs", "Paid by", "Key"]}
        align="llrrrrll"
        rows={[
          ...rows.map(({ stage, key, outcome, state, maker }) => [
            key === null ? stage.name : <a href={`/stages/${key}`}>{stage.name}</a>,
            <State state={state} />,
            outcome ? duration(outcome.seconds) : "–",
            outcome ? count(outcome.budget.environmentSteps) : "–",
            outcome ? count(outcome.budget.gradientSteps) : "–",
            outcome ? size(bytesOf(outcome)) : "–",
            <PaidBy
              own={!maker || (maker.definition === plan.definition && maker.seed === plan.seed)}
              maker={maker}
              made={outcome?.created}
            />,
            key === null ? "–" : <Hash hash={key} />,
          ]),
          sum("Total", rows),
          sum("Of it paid by this run", own),
        ]}
      />
    </section>
  );
}

function PaidBy(
  { own, maker, made }: { own: boolean; maker: KeyUser | undefined; made: string | undefined },
) {
  if (made === undefined) return <span class="quiet">–</span>;
  if (own) {
    return (
      <>
        run, <Moment at={made} />
      </>
    );
  }
  const { definition, seed, experiment } = maker!;
  return (
    <>
      cached, from <a href={`/experiments/${definition}?seed=${seed}`}>{`${experiment} seed ${seed}`}</a>
    </>
  );
}

const bytesOf = ({ outputs }: NonNullable<StageView["outcome"]>) =>
  Object.values(outputs).reduce((total, { bytes }) => total + bytes, 0);
