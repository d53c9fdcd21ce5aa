// deno-lint-ignore-file jsx-key -- pages are rendered once, on the server
/** @jsxImportSource hono/jsx */
/** One stage: the document its key is the hash of, every outcome observed, its log, and its outputs to take away. */
import { count, duration } from "../format.ts";
import { Hash, Moment, Note, Page, size, State, Table } from "./layout.tsx";
import { preview } from "./preview.tsx";
import type { Reader } from "./reader.ts";
import type { RunIndex } from "./run_index.ts";
import { runningNow } from "./run_view.ts";

const LOG_BYTES = 64 << 10;

/** The page of a key; undefined when the store knows nothing of it. */
export function StagePage({ hash, reader, index }: { hash: string; reader: Reader; index: RunIndex }) {
  const key = reader.key(hash);
  const outcomes = reader.outcomes(hash);
  index.refresh();
  const users = index.usersOf(hash);
  const live = reader.log(hash);
  const running = runningNow(reader).some(({ stages }) =>
    stages.some((stage) => stage.key === hash && stage.state === "running")
  );
  if (key === "missing" && outcomes.length === 0 && live === undefined) return undefined;
  const first = outcomes.find(({ outcome }) => outcome !== "damaged")?.outcome;
  const made = first === "damaged" ? undefined : first;
  const name = made?.name ??
    (key === "missing" || key === "damaged" ? hash.slice(0, 12) : key.value.preimage.stage);
  const trail: [string, string][] = [["Experiments", "/"]];
  const user = users[0];
  if (user) {
    trail.push([`${user.experiment} seed ${user.seed}`, `/experiments/${user.definition}?seed=${user.seed}`]);
  }
  return (
    <Page title={`Stage ${name}`} here="experiments" trail={trail} reload={running ? 5 : undefined}>
      <dl class="facts">
        <dt>Key</dt>
        <dd>
          <code class="long">{hash}</code>
        </dd>
        {made && (
          <>
            <dt>Module</dt>
            <dd>
              <code>{made.entry}</code>
            </dd>
            <dt>Seed</dt>
            <dd>{made.seed}</dd>
          </>
        )}
        <dt>State</dt>
        <dd>
          <State state={running ? "running" : made ? "done" : live ? "unfinished" : "absent"} />
        </dd>
        <dt>Used by</dt>
        <dd>
          {users.length === 0
            ? "no recorded run"
            : users.slice(0, 12).map(({ experiment, definition, seed }) => (
              <>
                <a href={`/experiments/${definition}?seed=${seed}`}>
                  {`${experiment} ${definition.slice(0, 6)} seed ${seed}`}
                </a>
                {" "}
              </>
            ))}
          {users.length > 12 && `and ${users.length - 12} more`}
        </dd>
      </dl>
      {made && (
        <section aria-labelledby="outputs">
          <h2 id="outputs">Outputs</h2>
          <Table
            head={["Output", "Size", "Type", "Digest", "Look"]}
            align="lrlll"
            rows={Object.entries(made.outputs).map(([output, { digest, bytes, mediaType }]) => [
              <a href={`/objects/${digest}?type=${encodeURIComponent(mediaType)}`} download>{output}</a>,
              size(bytes),
              mediaType,
              <code class="long">{digest}</code>,
              <Look
                digest={digest}
                kind={kindOf(key, output)}
                mediaType={mediaType}
                run={user && `${user.definition}-${user.seed}`}
              />,
            ])}
          />
          <p class="quiet">
            A download's bytes are compared with the digest before they are sent; the digest is its ETag.
          </p>
          {Object.entries(made.outputs).map(([output, blob]) => preview(output, blob, reader))}
        </section>
      )}
      <section aria-labelledby="outcomes">
        <h2 id="outcomes">Outcomes</h2>
        {outcomes.length === 0 ? <p class="quiet">None yet.</p> : (
          <Table
            caption="The first stands for the key; later ones are evidence"
            head={[
              "Outcome",
              "Made (UTC)",
              "Time",
              "Environment steps",
              "Gradient steps",
              "Machine",
              "Outputs",
              "Log",
            ]}
            align="llrrrlll"
            rows={outcomes.map(({ number, outcome }) =>
              outcome === "damaged"
                ? [`${number}`, <State state="damaged" />, "", "", "", "", "run exp fsck", ""]
                : [
                  `${number}`,
                  <Moment at={outcome.created} />,
                  duration(outcome.seconds),
                  count(outcome.budget.environmentSteps),
                  count(outcome.budget.gradientSteps),
                  `${outcome.machine.host}, ${outcome.machine.cores} cores, ${outcome.machine.os}`,
                  outcome === made
                    ? "stand for the key"
                    : sameOutputs(outcome, made)
                    ? "same bytes"
                    : "other bytes",
                  <a href={`/stages/${hash}/log/${number}`}>log</a>,
                ]
            )}
          />
        )}
      </section>
      <Log
        bytes={live ?? (made && reader.log(hash, outcomes.find(({ outcome }) => outcome === made)!.number))}
      />
      <section aria-labelledby="preimage">
        <h2 id="preimage">Key's preimage</h2>
        {key === "damaged" && (
          <Note kind="problem">The stored preimage does not match its seal: run exp fsck</Note>
        )}
        {key === "missing" && <p class="quiet">Stored with the first outcome.</p>}
        {key !== "damaged" && key !== "missing" && (
          <>
            <p class="quiet">The key is the SHA-256 of this document in RFC 8785 form.</p>
            <pre tabindex={0}>{JSON.stringify(key.value.preimage, null, 2)}</pre>
            <details>
              <summary>{`Code: ${Object.keys(key.value.modules).length} modules`}</summary>
              <Table
                head={["Module", "Digest of its tokens"]}
                align="ll"
                rows={Object.entries(key.value.modules).map((
                  [path, digest],
                ) => [<code>{path}</code>, <Hash hash={digest} />])}
              />
            </details>
            <Inputs inputs={key.value.preimage.inputs} />
          </>
        )}
      </section>
    </Page>
  );
}

function kindOf(key: ReturnType<Reader["key"]>, output: string): string | undefined {
  return key === "damaged" || key === "missing" ? undefined : key.value.preimage.outputs[output];
}

function Look({ digest, kind, mediaType, run }: {
  digest: string;
  kind: string | undefined;
  mediaType: string;
  run: string | undefined;
}) {
  if (kind === "episodes") return <a href={`/episodes/${digest}${run ? `?run=${run}` : ""}`}>replay</a>;
  if (mediaType.startsWith("video/")) {
    return (
      <video controls preload="metadata" src={`/objects/${digest}?type=${encodeURIComponent(mediaType)}`}>
      </video>
    );
  }
  if (mediaType.startsWith("image/")) {
    return <img alt="stored image" src={`/objects/${digest}?type=${encodeURIComponent(mediaType)}`} />;
  }
  return <span class="quiet">{kind ?? ""}</span>;
}

function Inputs({ inputs }: { inputs: Readonly<Record<string, string | readonly string[]>> }) {
  const rows = Object.entries(inputs).flatMap(([role, given]) =>
    (Array.isArray(given) ? given as string[] : [given as string]).map((digest) => [
      role,
      <a href={`/objects/${digest}`} download>
        <code class="long">{digest}</code>
      </a>,
    ])
  );
  return rows.length === 0
    ? null
    : <Table caption="Inputs" head={["Role", "Digest"]} align="ll" rows={rows} />;
}

function Log({ bytes }: { bytes: Uint8Array | undefined }) {
  if (!bytes) return null;
  const text = new TextDecoder().decode(bytes.subarray(Math.max(0, bytes.length - LOG_BYTES)));
  return (
    <section aria-labelledby="log">
      <h2 id="log">Log</h2>
      {bytes.length > LOG_BYTES && (
        <p class="quiet">{`The last ${size(LOG_BYTES)} of ${size(bytes.length)}.`}</p>
      )}
      <pre class="log" tabindex={0}>{text}</pre>
    </section>
  );
}

function sameOutputs(a: { outputs: Record<string, { digest: string }> }, b: typeof a | undefined): boolean {
  const digests = ({ outputs }: typeof a) =>
    Object.entries(outputs).map(([n, { digest }]) => `${n} ${digest}`).sort().join();
  return b !== undefined && digests(a) === digests(b);
}
