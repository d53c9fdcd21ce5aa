/** Parts of the charts: escaped text, colours, axes. Numbers are rounded to 0.01 px so that bytes stay the same. */

/** Colours of policies in order of appearance: grey for the first, then Okabe and Ito's, safe for colour-blind eyes. */
export const palette = ["#6b7280", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"] as const;

/** Ink of text, of quieter text, and of grid lines; the background is drawn, so they suit dark pages too. */
export const ink = {
  text: "#1f2937",
  quiet: "#6b7280",
  grid: "#e5e7eb",
  border: "#d1d5db",
  background: "#ffffff",
} as const;

/** The colour of the i-th policy. */
export function colour(i: number): string {
  return palette[i % palette.length]!;
}

/** Text safe inside an element or attribute. */
export function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);
}

/** A coordinate with at most two decimals. */
export function px(x: number): string {
  return String(Math.round(x * 100) / 100);
}

/** Width of text in px, estimated for common sans-serif fonts, rather too wide than too narrow. */
export function textWidth(text: string, size: number): number {
  let em = 0;
  for (const c of text) {
    em += "iljtf.,:;|!'()[]/ ".includes(c) ? 0.34 : "mwMW%@".includes(c) ? 0.9 : c < "a" ? 0.64 : 0.57;
  }
  return em * size;
}

/** The text, or its head with an ellipsis where it is wider than `width` px. */
export function fit(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  let head = text;
  while (head !== "" && textWidth(`${head}…`, size) > width) head = head.slice(0, -1);
  return `${head.trimEnd()}…`;
}

/** Attributes of a piece of text. */
export interface TextStyle {
  /** Height of the font, px; 12 by default. */
  readonly size?: number;
  /** Which end of the text x is; "start" by default. */
  readonly anchor?: "start" | "middle" | "end";
  /** Colour; that of text by default. */
  readonly fill?: string;
  /** Weight of the font; 400 by default. */
  readonly weight?: number;
}

/** A text element; y is its baseline. */
export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { size = 12, anchor = "start", fill = ink.text, weight = 400 } = style;
  const extra = (anchor === "start" ? "" : ` text-anchor="${anchor}"`) +
    (weight === 400 ? "" : ` font-weight="${weight}"`);
  return `<text x="${px(x)}" y="${px(y)}" font-size="${size}" fill="${fill}"${extra}>${
    escape(content)
  }</text>`;
}

/** A straight line. */
export function line(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  stroke: string,
  width = 1,
  extra = "",
): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${
    px(y2)
  }" stroke="${stroke}" stroke-width="${width}"${extra}/>`;
}

/** A whole chart on its own background, with a title and a description for screen readers. */
export function chart(
  width: number,
  height: number,
  title: string,
  description: string,
  parts: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${px(width)} ${px(height)}" width="${
      px(width)
    }" height="${
      px(height)
    }" role="img" font-family="Inter, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif">`,
    `<title>${escape(title)}</title>`,
    `<desc>${escape(description)}</desc>`,
    `<rect x="0.5" y="0.5" width="${px(width - 1)}" height="${
      px(height - 1)
    }" rx="8" fill="${ink.background}" stroke="${ink.border}"/>`,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

/** Round numbers from 0 to at least `max`, about `count` of them (steps of 1, 2, 2.5 or 5 times a power of ten). */
export function ticks(max: number, count: number): number[] {
  if (!(max > 0)) return [0, 1];
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9))!;
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, i) => i * step);
}
