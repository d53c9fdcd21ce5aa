/** Line charts by uPlot in the page's colours, and charts of an episode that share one playhead. */
import uPlot from "uplot";

/** Colours of lines: those of the report's figures, lighter on dark pages. */
export function palette() {
  return matchMedia("(prefers-color-scheme: dark)").matches
    ? ["#56b4e9", "#ff9d4d", "#4fd1a5", "#e7a6c8", "#f0cf6b", "#a3adba", "#8fd3ff"]
    : ["#0072b2", "#c24e00", "#00805d", "#b5548c", "#8a6100", "#5b6472", "#2a87b8"];
}

/** A custom property of the page's style sheet. */
export const token = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

/** An axis in the page's ink. `format` makes a tick's text. */
export function axis(label, format, size = 44) {
  return {
    stroke: token("--quiet"),
    grid: { stroke: token("--grid"), width: 1 },
    ticks: { stroke: token("--border"), width: 1 },
    label,
    labelSize: label ? 20 : 0,
    size,
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    ...(format ? { values: (_, values) => values.map(format) } : {}),
  };
}

/** 12500 → "12.5k". */
export function steps(n) {
  const short = (x) => String(Math.round(x * 100) / 100);
  return Math.abs(n) >= 1e6 ? `${short(n / 1e6)}M` : Math.abs(n) >= 1000 ? `${short(n / 1000)}k` : short(n);
}

/** A chart as wide as its parent, redrawn with it. `make` gives uPlot's options for a width. */
export function chart(parent, make, data) {
  const width = () => Math.max(240, parent.clientWidth);
  let plot = new uPlot(make(width()), data, parent);
  let at = width();
  new ResizeObserver(() => {
    if (Math.abs(width() - at) < 2) return;
    at = width();
    plot.setSize({ width: at, height: plot.height });
  }).observe(parent);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot.destroy();
    plot = new uPlot(make(width()), data, parent);
  });
  return { redraw: () => plot.redraw(false, false), data: (next) => plot.setData(data = next) };
}

/** Groups of an episode's columns to draw: name, lines, bounds. */
function groups({ columns, length }) {
  const parts = ["x", "y", "z", "roll", "pitch", "yaw", "gripper"];
  const line = (name, part) => {
    const { shape, data } = columns[name];
    return Array.from({ length }, (_, t) => data[Math.min(t, shape[0] - 1) * shape[1] + part]);
  };
  const found = [];
  if (columns.action) {
    found.push({
      title: "Action",
      lines: parts.slice(0, 6).map((label, i) => ({ label, values: line("action", i) })),
      range: [-1.05, 1.05],
    });
  }
  if (columns.action && columns.base) {
    found.push({
      title: "Residual: action − base",
      lines: parts.map((label, i) => {
        const base = line("base", i);
        return { label, values: line("action", i).map((value, t) => value - base[t]) };
      }),
    });
  }
  const gripper = [];
  if (columns.action) gripper.push({ label: "asked", values: line("action", 6) });
  if (columns.gripper) gripper.push({ label: "commanded", values: line("gripper", 0) });
  if (gripper.length > 0) {
    found.push({ title: "Gripper: −1 open, 1 closed", lines: gripper, range: [-1.1, 1.1] });
  }
  for (const name of Object.keys(columns).filter((name) => /^q(\/|$)/i.test(name))) {
    const width = columns[name].shape[1] ?? 1;
    found.push({
      title: `Q: ${name}`,
      lines: Array.from(
        { length: width },
        (_, i) => ({ label: width > 1 ? `Q${i + 1}` : "Q", values: line(name, i) }),
      ),
    });
  }
  return found;
}

/**
 * Charts of an episode in `parent`, with a playhead at `clock.t` of `clock.length` and a mark at success; a click moves
 * the playhead. Returns what redraws the playhead.
 */
export function episodeCharts(parent, episode, clock) {
  const redraws = groups(episode).map(({ title, lines, range }) => {
    const box = parent.appendChild(document.createElement("div"));
    box.setAttribute("role", "img");
    box.setAttribute(
      "aria-label",
      `${title}: ${lines.map(({ label }) => label).join(", ")} over control steps`,
    );
    const x = Array.from({ length: episode.length }, (_, t) => t);
    const make = (width) => ({
      title,
      width,
      height: 150,
      legend: { live: false },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: () => [0, clock.length] },
        y: {
          range: range
            ? () => range
            : (_, low, high) => high - low < 1e-9 ? [low - 1, high + 1] : [low, high],
        },
      },
      axes: [axis("", steps, 30), axis("", (v) => String(Number(v.toPrecision(2))), 60)],
      series: [
        { label: "step" },
        ...lines.map(({ label }, i) => ({
          label,
          stroke: palette()[i % 7],
          width: 1.5,
          points: { show: false },
        })),
      ],
      hooks: {
        draw: [(plot) => playhead(plot, clock.t, episode.success ? episode.length : undefined)],
        ready: [
          (plot) =>
            plot.over.addEventListener(
              "click",
              (event) => clock.seek(Math.round(plot.posToVal(event.offsetX, "x"))),
            ),
        ],
      },
    });
    return chart(box, make, [x, ...lines.map(({ values }) => values)]);
  });
  return () => redraws.forEach(({ redraw }) => redraw());
}

function playhead(plot, t, success) {
  const { ctx, bbox } = plot;
  const upright = (at, colour, dash) => {
    const x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.setLineDash(dash);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  };
  if (success !== undefined) upright(success, token("--good"), [5, 4]);
  upright(t, token("--focus"), []);
}
