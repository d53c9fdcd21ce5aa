// deno-lint-ignore-file jsx-key -- pages are rendered once, on the server
/** @jsxImportSource hono/jsx */
/** The frame of every page, and the small parts pages share. */
import type { Child } from "hono/jsx";
import { raw } from "hono/html";
import { percent, points } from "../format.ts";

/** What a page says of itself. */
export interface PageProps {
  /** Title of the document and of the page. */
  readonly title: string;
  /** Which entry of the navigation it belongs to. */
  readonly here?: "experiments" | "matrix" | "compare" | "live";
  /** Where it lies: names with addresses, the topmost first. */
  readonly trail?: readonly (readonly [name: string, href: string])[];
  /** Modules of results/site/client to load. */
  readonly scripts?: readonly string[];
  /** Whether uPlot's style sheet is needed. */
  readonly charts?: boolean;
  /** Seconds after which a browser without JavaScript loads the page again. */
  readonly reload?: number | undefined;
  /** The page's contents. */
  readonly children?: Child;
}

const NAVIGATION = [["experiments", "/", "Experiments"], ["matrix", "/matrix", "Seeds"], [
  "compare",
  "/compare",
  "Compare",
], ["live", "/live", "Live"]] as const;

/** A whole document. */
export function Page({ title, here, trail = [], scripts = [], charts, reload, children }: PageProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} · Uplift`}</title>
        <link rel="icon" href="/modules/results/site/client/icon.svg" type="image/svg+xml" />
        {charts && <link rel="stylesheet" href="/modules/node_modules/uplot/dist/uPlot.min.css" />}
        <link rel="stylesheet" href="/modules/results/site/client/style.css" />
        {reload !== undefined && (
          <noscript>
            <meta http-equiv="refresh" content={String(reload)} />
          </noscript>
        )}
        {scripts.map((name) => <script type="module" src={`/modules/results/site/client/${name}`}></script>)}
      </head>
      <body>
        <a class="skip" href="#content">To the content</a>
        <header class="top">
          <a class="brand" href="/">Uplift</a>
          <nav aria-label="Pages">
            {NAVIGATION.map(([key, href, name]) => (
              <a href={href} aria-current={key === here ? "page" : undefined}>{name}</a>
            ))}
          </nav>
        </header>
        <main id="content" tabindex={-1}>
          {trail.length > 0 && (
            <nav class="trail" aria-label="Where this is">
              {trail.map(([name, href]) => (
                <>
                  <a href={href}>{name}</a> <span aria-hidden="true">/</span>
                  {" "}
                </>
              ))}
            </nav>
          )}
          <h1>{title}</h1>
          {children}
        </main>
      </body>
    </html>
  );
}

/** How something stands, as a word with a colour. */
export function State({ state }: { state: string }) {
  return <span class={`state ${state.replaceAll(" ", "-")}`}>{state}</span>;
}

/** SVG text that a function of results/ made: its texts are escaped there. */
export function Figure({ svg, caption }: { svg: string; caption?: Child }) {
  return (
    <figure class="figure">
      <div class="scroll" tabindex={0} role="group" aria-label="Figure">{raw(svg)}</div>
      {caption !== undefined && <figcaption>{caption}</figcaption>}
    </figure>
  );
}

/** A table that scrolls by itself on narrow screens. `align` has a letter a column: l or r. */
export function Table({ head, align, rows, caption }: {
  head: readonly Child[];
  align: string;
  rows: readonly (readonly Child[])[];
  caption?: string;
}) {
  const side = (i: number) => align[i] === "r" ? "r" : undefined;
  return (
    <div class="scroll" tabindex={0} role="group" aria-label={caption ?? "Table"}>
      <table>
        {caption !== undefined && <caption>{caption}</caption>}
        <thead>
          <tr>{head.map((cell, i) => <th scope="col" class={side(i)}>{cell}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((cells) => (
            <tr>
              {cells.map((cell, i) =>
                i === 0 ? <th scope="row" class={side(i)}>{cell}</th> : <td class={side(i)}>{cell}</td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The head of a hash; the whole of it is the element's title. */
export function Hash({ hash, href }: { hash: string; href?: string }) {
  const hex = hash.replace(/^sha256:/, "");
  const code = <code title={hash}>{hex.slice(0, 12)}</code>;
  return href === undefined ? code : <a href={href}>{code}</a>;
}

/** A rate with its bounds, in percent. */
export function RateText(
  { rate, bounds }: { rate: number | null; bounds: readonly [number, number] | null },
) {
  if (rate === null) return <span class="quiet">–</span>;
  return (
    <>
      <b>{percent(rate)}</b>
      {bounds && <span class="quiet">{` [${bounds.map((x) => (100 * x).toFixed(1)).join(", ")}]`}</span>}
    </>
  );
}

/** A difference of rates with its bounds, in percentage points. */
export function PointsText({ difference, bounds }: {
  difference: number | null;
  bounds: readonly [number, number] | null;
}) {
  if (difference === null) return <span class="quiet">–</span>;
  return (
    <>
      <b>{points(difference)}</b>
      {bounds && <span class="quiet">{` [${bounds.map(points).join(", ")}]`}</span>}
    </>
  );
}

/** A moment, as a machine and a person read it. */
export function Moment({ at }: { at: string }) {
  return <time datetime={at}>{at.slice(0, 16).replace("T", " ")}</time>;
}

/** Something that is wrong, or worth knowing. */
export function Note({ kind = "note", children }: { kind?: "note" | "problem"; children?: Child }) {
  return <p class={kind} role={kind === "problem" ? "alert" : undefined}>{children}</p>;
}

/** 12345678 → "11.8 MiB". */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes / 1024;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** A value of JSON in one line. */
export function Value({ value }: { value: unknown }) {
  return <code>{value === undefined ? "–" : JSON.stringify(value)}</code>;
}
