// deno-lint-ignore-file jsx-key -- pages are rendered once, on the server
/** @jsxImportSource hono/jsx */
/** Stored episodes: which there are, and one of them replayed, alone or beside another from the same initial state. */
import type { Episode } from "../../data/episode.ts";
import { decodeEpisodes } from "../../data/episodes_arrow.ts";
import { firstLine } from "../../lab/errors.ts";
import { Hash, Note, Page, State, Table } from "./layout.tsx";
import { DIGEST, type Reader } from "./reader.ts";
import type { RunIndex } from "./run_index.ts";
import { viewRun } from "./run_view.ts";

const LIMIT = 100;
const LARGEST = 64 << 20;
const KEPT = 3;

const decoded = new Map<string, readonly Episode[]>();

/**
 * The episodes of an object; undefined when there is no such object.
 *
 * @throws {SyntaxError} when it holds something else, or an older form
 */
async function episodesOf(reader: Reader, digest: string): Promise<readonly Episode[] | undefined> {
  const known = decoded.get(digest);
  if (known) return known;
  const found = DIGEST.test(digest) ? await reader.object(digest) : "missing";
  if (found === "missing") return undefined;
  if (found !== "damaged" && found.size > LARGEST) {
    throw new RangeError(
      `Cannot show episodes of ${found.size} bytes: at most ${LARGEST}, download them instead`,
    );
  }
  const episodes = decodeEpisodes(reader.read(digest));
  if (decoded.size >= KEPT) decoded.delete(decoded.keys().next().value!);
  decoded.set(digest, episodes);
  return episodes;
}

/** An episode as JSON: what the replay needs. Columns are row by row; undefined when there is no such episode. */
export async function episodeDocument(reader: Reader, digest: string, number: number) {
  const episode = (await episodesOf(reader, digest))?.[number];
  if (!episode) return undefined;
  const { columns, ...rest } = episode;
  return {
    ...rest,
    columns: Object.fromEntries(
      Object.entries(columns).map(([name, { shape, data }]) => [name, { shape, data: Array.from(data) }]),
    ),
  };
}

/** Output of a run that holds episodes. */
interface Source {
  readonly label: string;
  readonly digest: string;
}

/** The page; undefined when there is no such object. */
export async function EpisodesPage({ digest, search, reader, index }: {
  digest: string;
  search: URLSearchParams;
  reader: Reader;
  index: RunIndex;
}) {
  let episodes: readonly Episode[] | undefined;
  try {
    episodes = await episodesOf(reader, digest);
  } catch (error) {
    return (
      <Page title="Episodes" here="experiments">
        <Note kind="problem">{firstLine(error)}</Note>
        <p>
          <a href={`/objects/${digest}`} download>Download the object</a>
        </p>
      </Page>
    );
  }
  if (!episodes) return undefined;
  const { run, sources } = sourcesOf(search.get("run") ?? "", reader, index);
  const here = sources.find((source) => source.digest === digest);
  const number = clamp(Number(search.get("episode") ?? "0"), episodes.length);
  const episode = episodes[number];
  const beside = sources.find((source) => source.digest === search.get("beside") && source.digest !== digest);
  const partner = beside && episode && await partnerOf(reader, beside.digest, episode);
  const first = Math.floor(number / LIMIT) * LIMIT;
  const address = (n: number, other = beside?.digest) =>
    `/episodes/${digest}?${new URLSearchParams({
      ...(run ? { run: run.name } : {}),
      episode: String(n),
      ...(other ? { beside: other } : {}),
    })}`;
  return (
    <Page
      title={`Episodes${here ? ` of ${here.label}` : ""}`}
      here="experiments"
      trail={[["Experiments", "/"], ...(run ? [[run.label, run.href] as const] : [])]}
      scripts={["episodes.js"]}
      charts
    >
      {!episode ? <p>There are no episodes in it.</p> : (
        <>
          <Facts episode={episode} number={number} digest={digest} />
          <form class="filters" method="get" action={`/episodes/${digest}`}>
            {run && <input type="hidden" name="run" value={run.name} />}
            <label>
              Episode <input type="number" name="episode" min="0" max={episodes.length - 1} value={number} />
            </label>
            {sources.length > 1 && (
              <label>
                Beside{" "}
                <select name="beside">
                  <option value="">nothing</option>
                  {sources.filter((source) => source.digest !== digest).map((source) => (
                    <option value={source.digest} selected={source.digest === beside?.digest}>
                      {source.label}
                    </option>
                  ))}
                </select>
              </label>
            )}
            <button type="submit">Show</button>
            {number > 0 && <a href={address(number - 1)}>previous</a>}
            {number < episodes.length - 1 && <a href={address(number + 1)}>next</a>}
          </form>
          {beside && partner === undefined && (
            <Note>{`${beside.label} has no episode of this task, initial state and noise.`}</Note>
          )}
          <div
            class="replay"
            data-replay={`/episodes/${digest}/${number}`}
            data-label={here?.label ?? "episode"}
            data-beside={partner === undefined ? undefined : `/episodes/${beside!.digest}/${partner}`}
            data-beside-label={partner === undefined ? undefined : beside!.label}
          >
            <noscript>
              <Note>The replay and its curves need JavaScript; the table below does not.</Note>
            </noscript>
          </div>
          <h2>All episodes</h2>
          <Table
            caption={episodes.length > LIMIT
              ? `Episodes ${first} to ${Math.min(episodes.length, first + LIMIT) - 1} of ${episodes.length}`
              : `${episodes.length} episodes, ${episodes.filter(({ success }) => success).length} successful`}
            head={["Episode", "Task", "Initial state", "Noise", "Success", "Steps"]}
            align="rlrrlr"
            rows={episodes.slice(first, first + LIMIT).map((each, i) => [
              <a href={address(first + i)} aria-current={first + i === number ? "true" : undefined}>
                {first + i}
              </a>,
              each.task,
              `${each.split} ${each.index}`,
              each.tags.noise ?? "–",
              <State state={each.success ? "success" : "no success"} />,
              each.length,
            ])}
          />
          {episodes.length > LIMIT && (
            <nav class="pages" aria-label="Pages of episodes">
              {first > 0 && <a href={address(first - LIMIT)}>Earlier page</a>}
              {first + LIMIT < episodes.length && <a href={address(first + LIMIT)}>Next page</a>}
            </nav>
          )}
        </>
      )}
    </Page>
  );
}

function Facts({ episode, number, digest }: { episode: Episode; number: number; digest: string }) {
  const { task, split, index, success, length, tags, columns } = episode;
  return (
    <dl class="facts">
      <dt>Episode</dt>
      <dd>
        {number} <State state={success ? "success" : "no success"} />
        {` after ${length} steps`}
      </dd>
      <dt>Task</dt>
      <dd>{task}</dd>
      <dt>Initial state</dt>
      <dd>{`${split} ${index}`}</dd>
      {Object.entries(tags).map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
      <dt>Stored</dt>
      <dd>
        {Object.keys(columns).join(", ")} <Hash hash={digest} href={`/objects/${digest}`} />
      </dd>
    </dl>
  );
}

/** Number of the episode of another object that shares task, initial state and noise; undefined when there is none. */
async function partnerOf(reader: Reader, digest: string, wanted: Episode): Promise<number | undefined> {
  try {
    const found = (await episodesOf(reader, digest))?.findIndex((each) =>
      each.task === wanted.task && each.split === wanted.split && each.index === wanted.index &&
      each.tags.noise === wanted.tags.noise
    );
    return found === undefined || found < 0 ? undefined : found;
  } catch {
    return undefined;
  }
}

/** A run by "definition-seed", and its outputs that hold episodes. */
function sourcesOf(name: string, reader: Reader, index: RunIndex) {
  const [, definition, seed] = /^([0-9a-f]{64})-(\d{1,15})$/.exec(name) ?? [];
  index.refresh();
  const view = definition === undefined ? "missing" : viewRun(reader, definition, Number(seed));
  if (view === "missing" || view === "damaged") return { run: undefined, sources: [] };
  const sources = view.stages.flatMap(({ stage, outcome }): Source[] =>
    Object.entries(stage.outputs).flatMap(([output, kind]) => {
      const blob = outcome?.outputs[output];
      return kind === "episodes" && blob ? [{ label: `${stage.name}/${output}`, digest: blob.digest }] : [];
    })
  );
  const label = `${view.record.plan.experiment} seed ${seed}`;
  return { run: { name, label, href: `/experiments/${definition}?seed=${seed}` }, sources };
}

function clamp(number: number, count: number): number {
  return Number.isSafeInteger(number) ? Math.max(0, Math.min(count - 1, number)) : 0;
}
