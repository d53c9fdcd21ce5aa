/** Follows what runs: the server sends each run's markup, escaped there, whenever it changes. */
import { axis, chart, palette, steps } from "./series.js";

const place = document.querySelector("[data-live]");
const only = place?.dataset.live;
const state = document.querySelector("[data-live-state]");
const say = (text) => {
  if (state) state.textContent = text;
};

const events = new EventSource("/live/events");
events.addEventListener("open", () => say("Following."));
// The browser asks again by itself: the server may have been started anew.
events.addEventListener("error", () => say("No answer; asking again …"));
events.addEventListener("message", ({ data }) => show(JSON.parse(data).runs));

function show(runs) {
  const ids = Object.keys(runs).filter((id) => only === "all" || id === only);
  if (ids.length === 0) {
    if (only === "all") {
      place.replaceChildren(
        Object.assign(document.createElement("p"), { className: "empty", textContent: "Nothing runs." }),
      );
    }
    return;
  }
  const focused = place.contains(document.activeElement)
    ? document.activeElement?.getAttribute("href")
    : null;
  place.replaceChildren(...ids.map((id) => {
    const article = document.createElement("article");
    article.className = "run";
    article.dataset.run = id;
    article.innerHTML = runs[id];
    return article;
  }));
  for (const box of place.querySelectorAll("[data-series]")) draw(box);
  if (focused) place.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function draw(box) {
  const { name, unit, points } = JSON.parse(box.dataset.series);
  box.replaceChildren();
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", `${name}: success over ${unit}`);
  const make = (width) => ({
    title: `${name}: success so far`,
    width,
    height: 160,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: () => [0, 1] } },
    axes: [axis(unit, steps), axis("", (v) => `${Math.round(100 * v)} %`, 52)],
    series: [{}, { label: "success", stroke: palette()[0], width: 2, points: { show: points.length < 60 } }],
  });
  chart(box, make, [points.map(([done]) => done), points.map(([, rate]) => rate)]);
}

for (const box of document.querySelectorAll("[data-live] [data-series]")) draw(box);
