// The machine page: fragments come from the stream; charts are asked for when they come into view, and again when
// newer data is there.

import "./acts.js";
import { Frame, day, figure, known } from "./charts.js";
import { drawFamily, drawFan, drawResidual, drawTrend, sayTrend } from "./charts_trends.js";
import { drawWave } from "./charts_wave.js";
import { follow, plantNow, released, settings, time, words } from "./live.js";
import { comparedTable, fill, flagItems, peaksTable, saySpectrum, sensorTable } from "./machine_tables.js";
import { Spectrum } from "./spectrum.js";
import { Waterfall } from "./waterfall.js";

const told = settings.machine;
const RANGE_MS = { "15m": 900e3, "1h": 3600e3, "24h": 86400e3, "7d": 604800e3, "30d": 2592e6 }[settings.range];
// A chart moves by less than a pixel between two readings that are closer than this.
const READ_EVERY_MS = Math.min(60e3, Math.max(2e3, RANGE_MS / settings.rate / 960));
const SLOW_MS = 60e3; // what is written once an hour or less often is asked for once a minute
const VELOCITY_BAND_HZ = 1000; // where velocity is judged (ISO 20816-1); above it only acceleration says much

let end = null; // null: now; otherwise the end of the window in ms of plant time
let newest = null;
let thenAt = ""; // the date that is compared with, as its input gives it
let marks = null;
const element = (id) => document.getElementById(id);
const isolated = (parts) => parts.filter(Boolean).map((part) => `\u2068${part}\u2069`).join(" · "); // dates keep their order in Arabic

async function ask(what, query = {}) {
  const url = new URL(`${settings.root}${settings.api}/${what}`, location.href);
  url.search = new URLSearchParams({ ...settings.query, ...query }).toString();
  const answer = await fetch(url, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${what}: ${answer.status}`);
  const given = await answer.json();
  await released(); // a chart that is drawn moves what stands below it
  return given;
}

const window_ = () => ({ range: settings.range, ...(end === null ? {} : { end: Math.round(end) }) });
const say = (id, text) => { element(`${id}-said`).textContent = text; };
const none = (frame, text) => frame.say(text ?? words.chart_empty);

function showNewest() {
  end = newest === null ? null : newest + RANGE_MS * 0.02;
  for (const chart of charts.values()) chart.due = true;
  for (const chart of charts.values()) chart.readAt = -Infinity;
}

// --- what each chart reads --------------------------------------------------------------------------------

async function readTrend(frame) {
  const [trend, over] = await Promise.all([
    ask("trend", { ...window_(), feature: settings.feature }),
    ask("marks", { ...window_(), feature: settings.feature }).catch(() => marks),
  ]);
  marks = over;
  drawTrend(frame, trend, marks);
  const old = newest !== null && newest < plantNow() - RANGE_MS;
  frame.say(trend.times_ms.length ? null : words.chart_empty, old ? { text: words.chart_latest, run: showNewest } : null);
  say("trend", sayTrend([{ ...trend, label: settings.label }], trend.unit));
  element("baseline-note").textContent = marks ? ` · ${marks.why}` : "";
  element("flags").replaceChildren(...flagItems(marks?.flags ?? []));
}

function family(name, options) {
  return async (frame, id) => {
    const answer = await ask(`families/${name}`, window_());
    const some = answer.series.some((one) => known(one.mean).length);
    frame.say(some ? null : words.chart_empty);
    say(id, sayTrend(answer.series));
    if (some) drawFamily(frame, answer, options);
  };
}

async function readResidual(frame) {
  const answer = await ask("warmth", window_());
  if (answer.refused) none(frame, fill(told.residual_refused, { reason: answer.refused, remedy: answer.remedy }));
  else if (!known(answer.mean).length) none(frame);
  else {
    frame.say(null);
    drawResidual(frame, answer);
  }
  const last = answer.mean.findLast((v) => v !== null);
  say("residual", last === undefined ? "" : fill(told.said_residual, {
    last: figure(last), most: figure(Math.max(...known(answer.high))), alert: figure(answer.alert), danger: figure(answer.danger),
  }));
}

/** A spectrum, with the part that is enlarged in all its lines. */
function spectrumReader(id, kind, top) {
  const chart = new Spectrum(id, (from, to) => read(from, to));
  chart.options.top = top;
  let shown = "";
  let then = null;
  let asked = 0;
  async function read(from = null, to = null) {
    const mine = ++asked;
    const what = kind();
    const part = from === null ? { to: Math.min(chart.options.top, 1e9) } : { from, to };
    const [now, other] = await Promise.all([
      ask("lines", { kind: what, ...part }),
      thenAt ? ask("lines", { kind: what, ...part, at: thenAt }) : null,
    ]);
    if (mine !== asked) return; // something else was asked for meanwhile, and may have come already
    then = other && now && other.ts_ms !== now.ts_ms ? other : null;
    const note = element(`${id}-note`);
    chart.frame.say(now ? null : settings.away ? told.away : words.chart_no_spectrum);
    note.textContent = "";
    say(id, "");
    if (!now) return;
    const at = (answer) => words.chart_spectrum_at.replace("{time}", time(answer.ts_ms, { dateStyle: "medium", timeStyle: "short" }));
    note.textContent = isolated([
      now.unit, at(now), then ? `${told.then} ${at(then)}` : thenAt ? told.no_then : "",
      now.source === "kept" ? told.kept : fill(told.resolution, { step: figure(now.step_hz) }),
      now.band_hz ? fill(told.band, { low: figure(now.band_hz[0]), high: figure(now.band_hz[1]) }) : "",
      now.speed_rpm ? "" : words.chart_no_speed,
    ]);
    say(id, saySpectrum(now));
    element(`${id}-peaks`).replaceChildren(peaksTable(now));
    chart.show(now, then);
  }
  chart.read = async () => {
    if (chart.zoom) return; // who looks at a part is not interrupted
    const key = JSON.stringify([kind(), thenAt, chart.options.top, newest]);
    if (key === shown && chart.answer) return;
    await read();
    shown = key;
  };
  chart.again = () => { shown = ""; chart.zoom = null; };
  return chart;
}

async function readWaveform(frame) {
  const answer = await ask("wave");
  if (!answer) return none(frame, settings.away ? told.away : told.no_block);
  frame.say(null);
  element("waveform-note").textContent = isolated([answer.unit, words.chart_spectrum_at.replace("{time}", time(answer.ts_ms, { dateStyle: "medium", timeStyle: "medium" }))]);
  const most = Math.max(...known(answer.value).map(Math.abs), 1e-9);
  say("waveform", fill(told.said_wave, { peak: figure(most), unit: answer.unit, length: figure(answer.length_s) }));
  drawWave(frame, answer, most);
}

async function readWaterfall() {
  const answer = await ask("waterfall", { ...window_(), range: RANGE_MS < 604800e3 ? "7d" : settings.range });
  fall.frame.say(answer ? null : told.no_fall);
  if (!answer) return;
  element("waterfall-note").textContent = isolated([answer.unit, fill(told.fall_scale, { most: figure(answer.most), decades: answer.decades })]);
  say("waterfall", fill(told.said_fall, { n: answer.times_ms.length, from: day(answer.times_ms[0]), to: day(answer.times_ms.at(-1)) }));
  fall.show(answer);
}

async function readFan(frame) {
  const answer = await ask("fan");
  element("fan-note").textContent = answer?.label ?? "";
  if (!answer) return none(frame, told.no_life);
  if (answer.p10_ms === undefined) return none(frame, fill(told.residual_refused, { reason: answer.refused ?? "", remedy: answer.remedy ?? "" }));
  if (answer.p90_ms <= answer.from_ms) {
    say("fan", fill(told.said_over, { threshold: figure(answer.threshold), unit: answer.unit, when: day(answer.from_ms) }));
    return none(frame, element("fan-said").textContent);
  }
  frame.say(null);
  drawFan(frame, answer);
  say("fan", fill(told.said_fan, { threshold: figure(answer.threshold), unit: answer.unit, p10: day(answer.p10_ms), p50: day(answer.p50_ms), p90: day(answer.p90_ms) }));
}

async function readSensor() {
  const answer = await ask("families/sensor", window_());
  const box = element("sensor-table");
  if (answer.series.length) box.replaceChildren(sensorTable(answer));
  else box.textContent = words.chart_empty;
}

async function readCompared() {
  const section = element("compared");
  section.hidden = !thenAt;
  if (!thenAt) return;
  const answer = await ask("compare", { at: thenAt });
  if (answer) element("compared-table").replaceChildren(comparedTable(answer));
  else element("compared-table").textContent = told.no_then;
}

// --- charts that are in view are read ---------------------------------------------------------------------

const charts = new Map();
let fall = null;
let spectra = [];

function register(id, read, every = READ_EVERY_MS, frame = null) {
  if (!element(id)) return; // the training page has some of the charts
  charts.set(id, { id, read, every, frame: frame ?? (element(id).classList.contains("chart") ? new Frame(id) : null), due: true, reading: false, readAt: -Infinity, seen: false });
}

async function run(chart) {
  const now = performance.now();
  if (!chart.due || chart.reading || !chart.seen || now - chart.readAt < chart.every || document.hidden) return;
  chart.due = false;
  chart.reading = true;
  chart.readAt = now;
  try {
    await chart.read(chart.frame, chart.id);
  } catch {
    chart.frame?.say(words.chart_failed);
    chart.due = true;
    chart.readAt = now + READ_EVERY_MS - chart.every; // again soon, not only when its turn comes
  }
  chart.reading = false;
}

const runAll = () => { for (const chart of charts.values()) run(chart); };

function again(ids) {
  for (const id of ids) {
    const chart = charts.get(id);
    chart.due = true;
    chart.readAt = -Infinity;
  }
  runAll();
}

function pressed(id, change) {
  const button = element(id);
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    change(on);
  });
}

function start() {
  const view = { acceleration: false };
  fall = element("waterfall") ? new Waterfall("waterfall") : null;
  const spectrum = spectrumReader("spectrum", () => (view.acceleration ? "acceleration" : "velocity"), VELOCITY_BAND_HZ);
  const envelope = spectrumReader("envelope", () => "envelope", VELOCITY_BAND_HZ);
  spectra = [spectrum, envelope];
  register("trend", readTrend);
  register("temperature", family("temperature", { pad: 2 }));
  register("residual", readResidual, SLOW_MS);
  register("bands", family("bands", { zero: true }));
  register("speed", family("speed"));
  register("spectrum", spectrum.read, READ_EVERY_MS, spectrum.frame);
  register("envelope", envelope.read, READ_EVERY_MS, envelope.frame);
  register("waveform", readWaveform);
  register("waterfall", readWaterfall, SLOW_MS, fall?.frame);
  register("health-trend", family("health", { zero: true, top: 105 }), SLOW_MS);
  register("fan", readFan, SLOW_MS);
  register("sensor-table", readSensor, SLOW_MS);

  pressed("spectrum-log", (on) => spectra.forEach((one) => one.set({ logarithmic: on })));
  pressed("spectrum-orders", (on) => spectra.forEach((one) => { one.zoom = null; one.set({ orders: on }); }));
  pressed("spectrum-markers", (on) => spectra.forEach((one) => one.set({ markers: on })));
  pressed("spectrum-band", (on) => { spectrum.options.top = on ? Infinity : VELOCITY_BAND_HZ; spectrum.again(); again(["spectrum"]); });
  pressed("spectrum-acceleration", (on) => { view.acceleration = on; spectrum.again(); again(["spectrum"]); });
  element("spectrum-cursor").addEventListener("change", (event) => spectra.forEach((one) => one.set({ cursor: event.target.value })));
  element("spectrum-gap").addEventListener("change", (event) => spectra.forEach((one) => one.set({ gap: event.target.value })));
  element("compare-at").addEventListener("change", (event) => compare(event.target.value));
  element("compare-off").addEventListener("click", () => { element("compare-at").value = ""; compare(""); });

  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) charts.get(entry.target.id).seen = entry.isIntersecting;
    runAll();
  }, { rootMargin: "300px" });
  for (const id of charts.keys()) if (id !== "trend") watch.observe(element(id));
  charts.get("trend").seen = true; // what everybody comes for is there before they scroll
  runAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  setInterval(runAll, 500);
  setInterval(() => { for (const chart of charts.values()) chart.due = true; }, SLOW_MS); // the window moves on although nothing new comes
}

function compare(at) {
  thenAt = at;
  element("compare-off").hidden = !at;
  spectra.forEach((one) => one.again());
  again(["spectrum", "envelope"]);
  readCompared().catch(() => { element("compared-table").textContent = words.chart_failed; });
}

/** Colours are fixed when a chart is made. */
function recolour() {
  for (const chart of charts.values()) if (chart.frame) chart.frame.shape = null;
  spectra.forEach((one) => one.again());
  again([...charts.keys()]);
}

/** Links to points and features keep the period that is looked at. */
function keepPeriod(event) {
  const link = event.target.closest('#points a[href^="?"], #values a[href^="?"]');
  if (!link) return;
  const query = new URLSearchParams(link.getAttribute("href"));
  if (!query.has("range")) query.set("range", settings.range);
  link.setAttribute("href", `?${query}`);
}

/** Waveforms that were asked for come within seconds, on a slow line within a minute. */
document.addEventListener("acted", () => {
  const raw = ["spectrum", "envelope", "waveform"].filter((id) => charts.has(id));
  for (const seconds of [3, 10, 30, 60]) setTimeout(() => again(raw), 1e3 * seconds);
});

document.addEventListener("click", keepPeriod);
document.addEventListener("auxclick", keepPeriod);
if (element("trend")) start();

const shownHtml = new Map();

/** What is open stays open, what has the focus keeps it; what has not changed is left alone. */
function replace(holder, html) {
  if (shownHtml.get(holder.id) === html) return;
  shownHtml.set(holder.id, html);
  const focused = holder.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const open = new Map([...holder.querySelectorAll("details[data-keep]")].map((one) => [one.dataset.keep, one.open]));
  holder.innerHTML = html;
  for (const one of holder.querySelectorAll("details[data-keep]")) one.open = open.get(one.dataset.keep) ?? one.open;
  if (focused) holder.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

if (settings.stream) follow({
  machine(news) {
    for (const [id, html] of Object.entries(news.fragments)) if (element(id)) replace(element(id), html);
    newest = news.newest_ms;
    for (const chart of charts.values()) chart.due = true;
  },
});
