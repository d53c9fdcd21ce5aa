/** Learning curves of an experiment's page: the server's points, means and bands, drawn by uPlot. */
import { axis, chart, palette, steps } from "./series.js";

for (const place of document.querySelectorAll("[data-curves]")) draw(place);

async function draw(place) {
  const answer = await fetch(place.dataset.curves);
  if (!answer.ok) return; // what the server drew stays
  const { curves } = await answer.json();
  if (curves.length === 0) return;
  const isRate = place.dataset.rate === "yes";
  const x = [...new Set(curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
  const spread = (curve, values) => {
    const at = new Map(curve.x.map((step, i) => [step, values[i]]));
    return x.map((step) => at.get(step));
  };
  const data = [
    x,
    ...curves.flatMap((curve) => [curve.mean, curve.low, curve.high].map((v) => spread(curve, v))),
  ];
  const value = (v) =>
    v === null || v === undefined ? "–" : isRate ? `${(100 * v).toFixed(1)} %` : v.toPrecision(4);
  const make = (width) => ({
    title: `${curves[0].metric.replaceAll("_", " ")} over ${curves[0].unit.replaceAll("_", " ")}`,
    width,
    height: 320,
    scales: { x: { time: false }, ...(isRate ? { y: { range: () => [0, 1] } } : {}) },
    axes: [
      axis(curves[0].unit.replaceAll("_", " "), steps),
      axis("", isRate ? (v) => `${Math.round(100 * v)} %` : steps, 58),
    ],
    cursor: { drag: { x: true, y: false } },
    bands: curves.map((_, i) => ({ series: [3 * i + 3, 3 * i + 2], fill: `${palette()[i % 7]}2e` })),
    series: [
      { label: curves[0].unit.replaceAll("_", " "), value: (_, v) => v === null ? "–" : steps(v) },
      ...curves.flatMap(({ label }, i) => {
        const stroke = palette()[i % 7];
        const bound = (name) => ({
          label: `${label} ${name}`,
          stroke: `${stroke}60`,
          width: 1,
          points: { show: false },
          spanGaps: true,
          value: (_, v) => value(v),
        });
        return [
          {
            label,
            stroke,
            width: 2,
            spanGaps: true,
            value: (_, v) => value(v),
            points: { show: x.length <= 60 },
          },
          bound("low"),
          bound("high"),
        ];
      }),
    ],
  });
  place.replaceChildren();
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `${curves[0].metric} of ${curves.map(({ label }) => label).join(", ")}`);
  chart(place, make, data);
}
