/** The replay: one or two episodes in 3-D and their curves under one playhead. */
import { View } from "./scene.js";
import { episodeCharts } from "./series.js";
import { simulate } from "./simulation.js";

const HZ = 20;

for (const place of document.querySelectorAll("[data-replay]")) start(place);

async function start(place) {
  const { replay, label, beside, besideLabel } = place.dataset;
  const asked = [{ url: replay, label }, ...(beside ? [{ url: beside, label: besideLabel }] : [])];
  const views = element("div", "stages3d");
  const transport = element("div", "transport");
  const series = element("div", "series");
  place.replaceChildren(views, transport, series);
  let sides;
  try {
    sides = await Promise.all(asked.map((each) => open(each, views.appendChild(element("div", "view")))));
  } catch (error) {
    const line = element("p", "problem", String(error.message ?? error));
    line.setAttribute("role", "alert");
    return place.replaceChildren(line);
  }
  const clock = { t: 0, length: Math.max(...sides.map(({ episode }) => episode.length)), seek: () => {} };
  const redraws = sides.map(({ episode, label }) => {
    const column = series.appendChild(element("div"));
    column.append(element("h3", "", label));
    return episodeCharts(column, episode, clock);
  });
  const player = controls(transport, clock, sides, (t) => {
    for (const { view, episode } of sides) view?.show(Math.min(t, episode.length));
    for (const redraw of redraws) redraw();
  });
  clock.seek = player.seek;
  if (sides.length === 2 && sides.every(({ view }) => view)) follow(sides[0].view, sides[1].view);
  player.seek(Number(new URLSearchParams(location.hash.slice(1)).get("step") ?? 0));
  place.dataset.ready = "yes";
}

async function open({ url, label }, box) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`Cannot load the episode: the server answers ${answer.status}`);
  const episode = await answer.json();
  const canvas = box.appendChild(element("canvas"));
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${label}: ${episode.task} in 3-D; drag turns it, arrow keys move it`);
  const note = box.appendChild(element("p", "quiet", `${label}: simulating …`));
  let view;
  try {
    view = new View(canvas);
  } catch {
    canvas.remove();
    note.textContent = `${label}: no 3-D in this browser, the curves below tell the episode`;
    return { episode, label, view: undefined };
  }
  const outcome = `${episode.success ? "success" : "no success"} after ${episode.length} steps`;
  const fallback = (why) => {
    const posed = Object.keys(episode.columns).some((name) => name.startsWith("object/"));
    if (posed) view.stored(episode);
    else canvas.remove();
    note.textContent = `${label}: ${outcome}. ${posed ? "Stored poses" : "Nothing to draw"}, since ${why}`;
    return { episode, label, view: posed ? view : undefined };
  };
  try {
    const replay = await simulate(episode);
    if (!replay.same && episode.columns.proprioception) return fallback("a new simulation ends otherwise");
    view.simulated(replay);
    const told = replay.same ? "as recorded" : "NOT as recorded: this replay ends otherwise";
    note.textContent = `${label}: ${outcome}. Simulated again from the stored actions, ${told}.`;
    note.dataset.same = replay.same ? "yes" : "no";
    return { episode, label, view };
  } catch (error) {
    return fallback(error.message);
  }
}

/** Play, step, seek: buttons, a slider, and the space bar and arrow keys while they are in focus. */
function controls(place, clock, sides, show) {
  const play = place.appendChild(button("Play"));
  const back = place.appendChild(button("−1", "one step back"));
  const forth = place.appendChild(button("+1", "one step on"));
  const slider = place.appendChild(element("input"));
  Object.assign(slider, { type: "range", min: 0, max: clock.length, step: 1, value: 0 });
  slider.setAttribute("aria-label", "Control step");
  const speed = place.appendChild(element("select"));
  speed.setAttribute("aria-label", "Speed");
  for (const factor of [0.25, 0.5, 1, 2, 4]) {
    const option = speed.appendChild(element("option", "", `${factor} ×`));
    option.value = factor;
    option.selected = factor === 1;
  }
  const text = place.appendChild(element("output"));
  let timer;
  const seek = (t) => {
    clock.t = Math.max(0, Math.min(clock.length, Number.isFinite(t) ? t : 0));
    slider.value = clock.t;
    const state = sides.map(({ episode, label }) => {
      if (clock.t < episode.length) return sides.length > 1 ? `${label}: going on` : "";
      return `${sides.length > 1 ? `${label}: ` : ""}${episode.success ? "success" : "no success"}`;
    }).filter(Boolean).join(", ");
    text.textContent = `step ${clock.t} of ${clock.length}, ${(clock.t / HZ).toFixed(2)} s${
      state ? ` · ${state}` : ""
    }`;
    show(clock.t);
  };
  const stop = () => {
    clearTimeout(timer);
    timer = undefined;
    play.textContent = "Play";
    history.replaceState(null, "", `#step=${clock.t}`);
  };
  const tick = () => {
    seek(clock.t + 1);
    if (clock.t >= clock.length) stop();
    else timer = setTimeout(tick, 1000 / HZ / Number(speed.value));
  };
  play.addEventListener("click", () => {
    if (timer !== undefined) return stop();
    if (clock.t >= clock.length) seek(0);
    play.textContent = "Pause";
    tick();
  });
  const jump = (t) => {
    seek(t);
    stop();
  };
  back.addEventListener("click", () => jump(clock.t - 1));
  forth.addEventListener("click", () => jump(clock.t + 1));
  slider.addEventListener("input", () => seek(Number(slider.value)));
  slider.addEventListener("change", stop);
  return { seek };
}

/** Two views look from the same side. */
function follow(a, b) {
  for (const [from, to] of [[a, b], [b, a]]) {
    from.controls.addEventListener("change", () => {
      if (to.camera.position.distanceTo(from.camera.position) < 1e-6) return;
      to.camera.position.copy(from.camera.position);
      to.controls.target.copy(from.controls.target);
      to.controls.update();
    });
  }
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function button(text, label) {
  const made = element("button", "", text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  return made;
}
