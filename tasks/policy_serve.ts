/** `exp policy serve`: a stored policy for openpi's client, on the loopback unless told otherwise with a token. */
import { UsageError } from "../lab/errors.ts";
import { suggestion } from "../lab/nearest.ts";
import { findSubject } from "../lab/subject.ts";
import { isLoopback, serveOpenpi } from "../policies/openpi_server.ts";
import { openServed } from "../stages/served_flow.ts";
import { oneRequest, type RequestOptions, type Session } from "./session.ts";

/** Options of `policy serve` alone. */
export interface PolicyServeOptions extends RequestOptions {
  readonly port: string;
  readonly host?: string | undefined;
  readonly token?: string | undefined;
  readonly normalization?: string | undefined;
  readonly tasks?: string | undefined;
  readonly guidance?: string | undefined;
  readonly noiseSeed: string;
}

/** Digests of a policy's two objects, and the tasks of its one-hot input. */
interface Named {
  readonly weights: string;
  readonly normalization: string;
  readonly tasks: readonly string[];
}

const DIGEST = /^(sha256:)?[0-9a-f]{64}$/;

/** Serves until the process is told to stop. */
export async function policyServeCommand(
  subject: string,
  options: PolicyServeOptions,
  session: Session,
): Promise<number> {
  const port = whole(options.port, "listen on port", 65535);
  const seed = whole(options.noiseSeed, "draw noise from seed", Number.MAX_SAFE_INTEGER);
  const guidance = options.guidance === undefined ? undefined : Number(options.guidance);
  if (guidance !== undefined && !(guidance >= 0 && guidance < Infinity)) {
    throw new UsageError(`Cannot guide with s = ${options.guidance}: it must be a number of at least 0`);
  }
  const { host, token } = options;
  if (host !== undefined && !isLoopback(host) && token === undefined) {
    throw new UsageError(
      `Cannot listen on ${host} without a token: others could use the policy, give --token`,
    );
  }
  if (token !== undefined && token.length < 16) {
    throw new UsageError("Cannot use so short a token: give at least 16 characters");
  }
  const named = DIGEST.test(subject) ? ofDigest(subject, options) : await ofStage(subject, options, session);
  const { objects } = session.store;
  const object = (digest: string) => ({ digest, bytes: objects.read(digest) });
  await using served = await openServed({
    weights: object(named.weights),
    normalization: object(named.normalization),
    tasks: named.tasks,
    guidance,
    seed,
  });
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => stop.abort());
  const address = host === undefined ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  const { metadata } = served;
  try {
    const server = serveOpenpi(served, {
      hostname: host,
      port,
      apiKey: token,
      signal: stop.signal,
      clock: () => performance.now(),
      note: (line) => console.error(line),
      listening: (port) => {
        const url = `ws://${address}:${port}`;
        const [horizon, width] = metadata.actions as number[];
        const words =
          `${metadata.policy} policy ${named.weights} at ${url}: observation/state [${metadata.state}] ` +
          `to actions [${horizon}, ${width}]`;
        console.log(session.json ? JSON.stringify({ url, metadata }) : words);
      },
    });
    // A client that never hangs up must not keep a server alive that was told to stop.
    await Promise.race([
      server.finished,
      new Promise((resolve) => stop.signal.addEventListener("abort", () => setTimeout(resolve, 200))),
    ]);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new UsageError(`Cannot listen on port ${port}: it is taken, give --port another number`);
  }
  return 0;
}

function whole(text: string, what: string, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(number) || number > most) {
    throw new UsageError(`Cannot ${what} ${text}: give a whole number from 0 to ${most}`);
  }
  return number;
}

const tasksIn = (text: string | undefined) => text?.split(",").map((name) => name.trim()) ?? [];

function ofDigest(subject: string, { normalization, tasks }: PolicyServeOptions): Named {
  const prefixed = (digest: string) => digest.startsWith("sha256:") ? digest : `sha256:${digest}`;
  if (normalization === undefined || !DIGEST.test(normalization)) {
    throw new UsageError(
      "Cannot serve weights without their units: give --normalization a digest, as exp show prints it",
    );
  }
  return {
    weights: prefixed(subject),
    normalization: prefixed(normalization),
    tasks: tasksIn(tasks),
  };
}

async function ofStage(subject: string, options: PolicyServeOptions, session: Session): Promise<Named> {
  const slash = subject.indexOf("/");
  if (slash < 0) {
    throw new UsageError(`Cannot serve "${subject}": name a policy as experiment/stage or by its digest`);
  }
  const [name, stage] = [subject.slice(0, slash), subject.slice(slash + 1)];
  const { stages } = await findSubject(name, await oneRequest(options), session);
  const policies = stages.filter(({ stage: { outputs } }) => outputs.weights && outputs.normalization);
  const found = policies.find((each) => each.stage.name === stage);
  if (!found) {
    const names = policies.map((each) => each.stage.name);
    throw new UsageError(
      stages.some((each) => each.stage.name === stage)
        ? `Cannot serve "${stage}": it makes no policy with units of its own; ${name} has ${names.join(", ")}`
        : `Cannot find policy "${stage}" in ${name}${suggestion(stage, names)}`,
    );
  }
  const { weights, normalization } = found.outcome?.outputs ?? {};
  if (!weights || !normalization) {
    throw new UsageError(
      `Cannot serve ${subject}: it is not in the store, run "deno task exp run ${name} --only ${stage}" first`,
    );
  }
  const { tasks } = found.stage.parameters as { readonly tasks?: readonly string[] };
  return {
    weights: weights.digest,
    normalization: normalization.digest,
    tasks: options.tasks === undefined ? tasks ?? [] : tasksIn(options.tasks),
  };
}
