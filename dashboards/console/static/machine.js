// The machine page: fragments come from the stream, charts are asked for again when newer data is there.

import { drawSpectrum, drawTemperature, drawTrend, Frame } from "./charts.js";
import { follow, plantNow, settings, showBanner, time, words } from "./live.js";

const RANGE_MS = { "15m": 900e3, "1h": 3600e3, "24h": 86400e3, "7d": 604800e3, "30d": 2592e6 }[settings.range];
// A chart moves by less than a pixel between two readings that are closer than this.
const READ_EVERY_MS = Math.min(60e3, Math.max(2e3, RANGE_MS / settings.rate / 960));

let end = null; // null: now; otherwise the end of the window in ms of plant time
let newest = null;
let spectrum = null;
const view = { logarithmic: false, wholeBand: false };
let due = true;
let reading = false;
let readAt = -Infinity;

const hasCharts = document.getElementById("trend") !== null;
const frames = hasCharts && { trend: new Frame("trend"), temperature: new Frame("temperature"), spectrum: new Frame("spectrum") };

async function ask(what, query) {
  const url = new URL(`${settings.root}${settings.api}/${what}`, location.href);
  url.search = new URLSearchParams({ ...settings.query, ...query }).toString();
  const answer = await fetch(url, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${what}: ${answer.status}`);
  return answer.json();
}

const window_ = () => ({ range: settings.range, ...(end === null ? {} : { end: Math.round(end) }) });

function showNewest() {
  end = newest === null ? null : newest + RANGE_MS * 0.02;
  due = true;
  readAt = -Infinity;
}

async function readTrend() {
  const trend = await ask("trend", { ...window_(), feature: settings.feature });
  drawTrend(frames.trend, trend);
  const old = newest !== null && newest < plantNow() - RANGE_MS;
  frames.trend.say(trend.times_ms.length ? null : words.chart_empty, old ? { text: words.chart_latest, run: showNewest } : null);
}

async function readTemperature() {
  const answer = await ask("temperature", window_());
  const some = answer.series.some((one) => one.times_ms.length);
  frames.temperature.say(some ? null : words.chart_empty);
  if (some) drawTemperature(frames.temperature, answer);
}

async function readSpectrum() {
  const answer = await ask("spectrum", {});
  if (answer && spectrum && answer.ts_ms === spectrum.ts_ms) return;
  spectrum = answer;
  showSpectrum();
}

function showSpectrum() {
  const note = document.getElementById("spectrum-note");
  frames.spectrum.say(spectrum ? null : words.chart_no_spectrum);
  if (!spectrum) {
    note.textContent = "";
    return;
  }
  const at = words.chart_spectrum_at.replace("{time}", time(spectrum.ts_ms, { dateStyle: "medium", timeStyle: "medium" }));
  const parts = [spectrum.unit, at, ...(spectrum.markers.length ? [] : [words.chart_no_speed])];
  note.textContent = parts.map((part) => `\u2068${part}\u2069`).join(" · "); // isolated: dates keep their order in Arabic
  drawSpectrum(frames.spectrum, spectrum, view);
}

async function read() {
  if (!due || reading || performance.now() - readAt < READ_EVERY_MS || document.hidden) return;
  due = false;
  reading = true;
  readAt = performance.now();
  const results = await Promise.allSettled([readTrend(), readTemperature(), readSpectrum()]);
  [frames.trend, frames.temperature, frames.spectrum].forEach((frame, i) => {
    if (results[i].status === "rejected") {
      frame.say(words.chart_failed);
      due = true;
    }
  });
  reading = false;
}

/** Links to points and features keep the period that is looked at. */
function keepPeriod(event) {
  const link = event.target.closest('#points a[href^="?"], #values a[href^="?"]');
  if (!link) return;
  const query = new URLSearchParams(link.getAttribute("href"));
  if (!query.has("range")) query.set("range", settings.range);
  link.setAttribute("href", `?${query}`);
}

document.addEventListener("click", keepPeriod);
document.addEventListener("auxclick", keepPeriod);

if (hasCharts) {
  for (const [id, name] of [["spectrum-log", "logarithmic"], ["spectrum-band", "wholeBand"]]) {
    const toggle = document.getElementById(id);
    toggle.addEventListener("click", () => {
      view[name] = !view[name];
      toggle.setAttribute("aria-pressed", String(view[name]));
      if (spectrum) showSpectrum();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const frame of Object.values(frames)) frame.shape = null; // colours are fixed when a chart is made
    spectrum = null;
    due = true;
    readAt = -Infinity;
  });
  read();
  setInterval(read, 500);
  setInterval(() => { due = true; }, 60e3); // the window moves on although nothing new comes
}

follow({
  overview(news) {
    showBanner(news.banner);
  },
  machine(news) {
    for (const [id, html] of Object.entries(news.fragments)) {
      const holder = document.getElementById(id);
      if (!holder) continue;
      const focused = holder.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      holder.innerHTML = html;
      if (focused) holder.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
    newest = news.newest_ms;
    due = true;
  },
});
