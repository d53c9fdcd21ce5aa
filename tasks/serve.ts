/** `exp serve`: the results browser, on the loopback unless told otherwise with a token. */
import { UsageError } from "../lab/errors.ts";
import { createSite } from "../results/site/app.tsx";
import { LOOPBACK } from "../results/site/security.ts";
import type { Session } from "./session.ts";

/** Options of `serve` alone. */
export interface ServeOptions {
  readonly port: string;
  readonly host?: string | undefined;
  readonly token?: string | undefined;
}

/** Serves until the process is told to stop. */
export async function serveCommand(
  options: ServeOptions,
  { store, catalog, json }: Session,
): Promise<number> {
  const port = Number(options.port);
  if (!Number.isSafeInteger(port) || port < 0 || port > 65535) {
    throw new UsageError(`Cannot listen on port ${options.port}: give a number from 0 to 65535`);
  }
  const { host, token } = options;
  if (host !== undefined && token === undefined) {
    throw new UsageError(
      `Cannot listen on ${host} without a token: others could read the store, give --token`,
    );
  }
  if (token !== undefined && token.length < 16) {
    throw new UsageError("Cannot use so short a token: give at least 16 characters");
  }
  const named = host?.includes(":") ? `[${host}]` : host;
  const everywhere = host === "0.0.0.0" || host === "::";
  const hosts = named === undefined ? LOOPBACK : everywhere ? "any" : [...LOOPBACK, named.toLowerCase()];
  const site = createSite({
    store: store.directory,
    experiments: catalog.names,
    hosts,
    ...(token === undefined ? {} : { token }),
  });
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => stop.abort());
  try {
    const server = Deno.serve({
      hostname: host ?? "127.0.0.1",
      port,
      signal: stop.signal,
      onListen: ({ port }) => {
        const url = `http://${named ?? "127.0.0.1"}:${port}/${token === undefined ? "" : `?token=${token}`}`;
        console.log(json ? JSON.stringify({ url, store: store.directory }) : `${store.directory} at ${url}`);
      },
    }, site.fetch);
    // Pages that listen for events would keep a closing server alive.
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
