// What moves on the console's pages. Every page can be read without it.

import "htmx.org";
import uPlot from "uplot";

const page = () => document.getElementById("page");
const html = document.documentElement;

// The browser's clock may be wrong: times are told by the server's.
const ahead = Date.parse(html.dataset.now) - Date.now();
const now = () => Date.now() + ahead;

// --- times -------------------------------------------------------------------

const steps = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [86400, 3600, "h"],
  [86400 * 60, 86400, "days"],
  [86400 * 730, 86400 * 30, "months"],
];

function since(seconds) {
  if (Math.abs(seconds) < 5) return "now";
  const long = Math.abs(seconds);
  const [, unit, name] = steps.find(([below]) => long < below) ?? [0, 86400 * 365, "years"];
  const number = Math.floor(long / unit);
  const text = `${number} ${number === 1 && unit > 3600 ? name.replace(/s$/, "") : name}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

function lasted(seconds) {
  if (seconds < 60) return `${Math.max(seconds, 0).toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function tick() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const moment = Date.parse(time.dateTime);
    time.textContent = since((now() - moment) / 1000);
    if (!time.dataset.local) {
      time.dataset.local = "1";
      time.title = `${time.title}\n${new Date(moment).toLocaleString()}`;
    }
  }
  for (const time of document.querySelectorAll("time[data-since]")) {
    time.textContent = lasted((now() - Date.parse(time.dateTime)) / 1000);
  }
}
setInterval(tick, 1000);

// --- what changes by itself --------------------------------------------------

let stream = null;
// What stands for the state that the page shows, or that it was told of last.
let known = page()?.dataset.mark;
let stale = false;
// Milliseconds until a stream that was refused is asked for again.
const AGAIN = 5000;

// A form that somebody fills in is not taken away under their hands.
const isBusy = () =>
  !!page().querySelector("details.deed[open], form[data-touched]") ||
  !!page().querySelector("input:focus, textarea:focus, select:focus");

function refresh() {
  stale = false;
  aside(false);
  page().dispatchEvent(new Event("refresh"));
}

function aside(shown) {
  document.getElementById("aside").hidden = !shown;
}

function changed() {
  if (isBusy()) {
    stale = true;
    aside(true);
  } else {
    refresh();
  }
}

function listen() {
  stream?.close();
  stream = null;
  const main = page();
  if (!main?.dataset.live) return;
  const log = main.querySelector("ol.log[data-step]");
  const query = log ? `?${new URLSearchParams({ step: log.dataset.step, after: log.dataset.after })}` : "";
  stream = new EventSource(main.dataset.live + query);
  stream.addEventListener("changed", (event) => {
    const mark = JSON.parse(event.data);
    const isNews = mark !== known;
    known = mark;
    if (isNews) changed();
  });
  stream.addEventListener("lines", (event) => append(log, JSON.parse(event.data), event.lastEventId));
  stream.addEventListener("over", over);
  stream.onopen = () => html.classList.remove("cut");
  stream.onerror = () => {
    html.classList.add("cut");
    // A browser tries again by itself, unless it was answered with an error.
    if (stream?.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN);
  };
}

// The session is over. What somebody has typed is kept: whoever sends it is asked to sign in first.
function over() {
  stream.close();
  if (isBusy()) html.classList.add("over");
  else location.reload();
}

// --- logs --------------------------------------------------------------------

const MOST = 3000;

function append(log, items, place) {
  if (!log.isConnected) return;
  const bottom = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.insertAdjacentHTML("beforeend", items);
  log.dataset.after = place;
  while (log.childElementCount > MOST) log.firstElementChild.remove();
  if (bottom) log.scrollTop = log.scrollHeight;
}

function toLine() {
  const line = /^#L\d+$/.test(location.hash) && document.querySelector(location.hash);
  for (const old of document.querySelectorAll("ol.log .here")) old.classList.remove("here");
  if (line) {
    line.classList.add("here");
    line.scrollIntoView({ block: "center" });
    return;
  }
  for (const log of document.querySelectorAll("ol.log[data-step]")) log.scrollTop = log.scrollHeight;
}

// --- charts ------------------------------------------------------------------

// A canvas knows no properties: an element tells what a colour is here and now.
function colour(figure, name) {
  figure.style.color = `var(${name})`;
  const found = getComputedStyle(figure).color;
  figure.style.color = "";
  return found;
}

// Moments on an axis, as fine as they stand apart.
function moments(_, ticks, __, ___, apart) {
  const fine = { hour: "2-digit", minute: "2-digit", ...(apart < 60 && { second: "2-digit" }) };
  const words = apart >= 86400 ? { month: "short", day: "numeric" } : fine;
  return ticks.map((tick) => new Date(tick * 1000).toLocaleString([], { ...words, hour12: false }));
}

// A figure holds a picture that can be read without us, and its points: seconds, then per cent.
function draw() {
  for (const figure of document.querySelectorAll("figure[data-points]")) {
    if (figure.querySelector(".uplot")) continue;
    const [times, shares] = JSON.parse(figure.dataset.points);
    const of = (name) => colour(figure, name);
    const axis = { stroke: of("--faint"), grid: { stroke: of("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    const chart = new uPlot(
      {
        width: figure.clientWidth - 28,
        height: 170,
        cursor: { drag: { x: true, y: false } },
        legend: { live: true },
        scales: { y: { range: [0, 100] } },
        series: [
          { label: "Time", value: (_, at) => (at == null ? "" : new Date(at * 1000).toLocaleString()) },
          { label: figure.dataset.label, stroke: of("--accent"), width: 2, fill: of("--accent-soft"), points: { show: false }, value: (_, share) => (share == null ? "" : `${share} %`) },
        ],
        axes: [{ ...axis, values: moments, space: 90 }, { ...axis, values: (_, ticks) => ticks.map((tick) => `${tick} %`), size: 48 }],
        hooks: { setSelect: [select] },
      },
      [times, shares],
    );
    figure.classList.add("drawn");
    figure.prepend(chart.root);
  }
}

// What was drawn over becomes a part of the address, so that it can be sent to somebody.
function select(chart) {
  if (chart.select.width < 8) return;
  const moment = (x) => new Date(chart.posToVal(x, "x") * 1000).toISOString().slice(0, 16);
  const asked = new URLSearchParams(location.search);
  asked.set("from", moment(chart.select.left));
  asked.set("to", moment(chart.select.left + chart.select.width));
  location.search = asked;
}

let width = innerWidth;
window.addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  for (const chart of document.querySelectorAll(".uplot")) chart.remove();
  draw();
});

// --- the palette -------------------------------------------------------------

const palette = document.getElementById("palette");
const wanted = palette.querySelector("input");
const list = palette.querySelector("ul");

// What the server knows of beyond this page, by what was looked for.
let found = { q: "", places: [] };
let asking = 0;

function look() {
  const q = wanted.value.trim();
  clearTimeout(asking);
  asking = setTimeout(async () => {
    if (q === found.q) return;
    const answer = await fetch(`/console/places?${new URLSearchParams({ q })}`).catch(() => null);
    if (!answer?.ok || q !== wanted.value.trim()) return;
    found = { q, places: await answer.json() };
    offer();
  }, 120);
}

function places() {
  const seen = new Set([location.pathname]);
  const found = [];
  for (const link of document.querySelectorAll("header.top a[href], main a[href^='/console/'], main .deed summary")) {
    const isDeed = link.tagName === "SUMMARY";
    const to = isDeed ? `deed ${link.textContent}` : link.getAttribute("href");
    const name = link.textContent.trim().replace(/\s+/g, " ");
    if (!name || seen.has(to) || name === "Skip to the page") continue;
    seen.add(to);
    found.push({ name, to: isDeed ? "" : to, link });
  }
  return found;
}

function offer() {
  const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ name, to }) => words.every((word) => `${name} ${to}`.toLowerCase().includes(word));
  const near = places().filter(fits).slice(0, 8);
  const far = found.places.filter(({ to }) => words.length && !near.some((place) => place.to === to));
  list.replaceChildren(
    ...[...near, ...far]
      .slice(0, 14)
      .map((place, index) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = place.name;
        const where = document.createElement("small");
        where.textContent = place.to || "do";
        button.append(where);
        button.classList.toggle("here", index === 0);
        button.addEventListener("click", () => go(place));
        item.append(button);
        return item;
      }),
  );
}

function go({ to, link }) {
  palette.close();
  if (to) {
    location.assign(to);
  } else {
    link.parentElement.open = true;
    link.focus();
  }
}

function openPalette() {
  wanted.value = "";
  found = { q: "", places: [] };
  offer();
  palette.showModal();
  wanted.focus();
}

wanted.addEventListener("input", () => {
  offer();
  look();
});
palette.addEventListener("keydown", (event) => {
  const buttons = [...list.querySelectorAll("button")];
  const at = Math.max(0, buttons.findIndex((button) => button.classList.contains("here")));
  const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (move && buttons.length) {
    event.preventDefault();
    buttons[at].classList.remove("here");
    const next = buttons[(at + move + buttons.length) % buttons.length];
    next.classList.add("here");
    next.scrollIntoView({ block: "nearest" });
  } else if (event.key === "Enter" && document.activeElement === wanted) {
    event.preventDefault();
    buttons[at]?.click();
  }
});
palette.addEventListener("click", (event) => event.target === palette && palette.close());

// --- keys and clicks ---------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches?.("input, textarea, select");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
  } else if (event.key === "/" && !isTyping) {
    const find = document.querySelector(".find input[type=search]");
    if (find) event.preventDefault();
    find?.focus();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-palette]")) openPalette();
  if (event.target.closest("[data-refresh]")) refresh();
  const item = event.target.closest("ol.log li");
  const found = item?.closest("ol.log");
  if (item && event.target.closest("a") && new URLSearchParams(location.search).has("find")) {
    event.preventDefault();
    location.assign(`${found.dataset.findLink}${item.id.slice(1)}#${item.id}`);
  }
});
document.addEventListener("input", (event) => event.target.closest("main form[method=post]")?.setAttribute("data-touched", ""));
document.addEventListener("toggle", () => stale && !isBusy() && refresh(), true);
document.addEventListener("submit", (event) => {
  for (const button of event.target.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  if (event.target.dataset.sent && event.target.method === "post") event.preventDefault();
  event.target.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  }
});
window.addEventListener("hashchange", toLine);

// A page that was asked for again may show another log.
document.addEventListener("htmx:after:swap", () => {
  tick();
  draw();
  const log = page().querySelector("ol.log[data-step]");
  if (log && stream && !stream.url.includes(new URLSearchParams({ step: log.dataset.step }).toString())) listen();
});

html.classList.add("has-js");
tick();
draw();
toLine();
listen();
