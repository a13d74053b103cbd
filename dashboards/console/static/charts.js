// The three charts of a machine, drawn by uPlot (vendored). Charts read from left to right in every language.
/* global uPlot */

import { number, settings, time, words } from "./live.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/** Decimals that tell multiples of `step` apart. */
const digitsFor = (step) => [0, 1, 2, 3, 4, 5].find((d) => Math.abs(step * 10 ** d - Math.round(step * 10 ** d)) < 1e-6) ?? 6;

function font() {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return `${Math.round(size * 0.78)}px ${getComputedStyle(document.body).fontFamily}`;
}

function axis(extra) {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return {
    stroke: css("--muted"), font: font(), labelFont: font(),
    grid: { stroke: css("--grid"), width: 1 }, ticks: { stroke: css("--grid"), width: 1, size: 5 },
    size: size * 3.4, gap: 4, ...extra,
  };
}

function timeAxis() {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const label = (s, step, first) => {
    if (step >= 86400) return time(s * 1000, { day: "numeric", month: "short" });
    const clock = time(s * 1000, { hour: "2-digit", minute: "2-digit", ...(step < 60 ? { second: "2-digit" } : {}) });
    return first ? `${clock}\n${time(s * 1000, { day: "numeric", month: "short" })}` : clock;
  };
  return axis({
    size: size * 2.9, space: size * 5,
    values: (_u, splits, _axis, _space, step) => splits.map((s, i) =>
      label(s, step, i === 0 || time(s * 1000, { day: "numeric" }) !== time(splits[i - 1] * 1000, { day: "numeric" }))),
  });
}

function valueAxis(extra) {
  return axis({ values: (_u, splits) => splits.map((v) => (v === null ? "" : number(v, digitsFor(splits[1] - splits[0] || 1)))), ...extra });
}

// --- frame: size, emptiness, replacement ------------------------------------------------------------------

/** A place for one chart that follows its width and says in words when there is nothing to draw. */
export class Frame {
  constructor(id) {
    this.box = document.getElementById(id);
    this.empty = document.createElement("div");
    this.empty.className = "empty";
    this.empty.dir = document.documentElement.dir;
    this.empty.hidden = true;
    this.box.append(this.empty);
    this.plot = null;
    this.shape = null;
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.box);
  }

  /** The legend stands below and takes the height it needs. */
  size() {
    return { width: Math.max(240, this.box.clientWidth), height: parseFloat(getComputedStyle(this.box).minHeight) };
  }

  /** Draw `data`; the chart is made anew only when `shape` (a text) changes, so that a cursor stays. */
  draw(shape, options, data, scales) {
    if (this.shape !== shape) {
      this.plot?.destroy();
      this.plot = new uPlot({ ...this.size(), ...options() }, data, this.box);
      this.shape = shape;
    }
    this.plot.batch(() => {
      this.plot.setData(data, false);
      for (const [name, range] of Object.entries(scales)) this.plot.setScale(name, range);
    });
  }

  /** Say something instead of a chart (or over an empty one); null takes it away. */
  say(text, action) {
    this.empty.hidden = text === null;
    this.empty.replaceChildren();
    if (text === null) return;
    const line = document.createElement("span");
    line.textContent = text;
    this.empty.append(line);
    if (action) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = action.text;
      button.addEventListener("click", action.run);
      this.empty.append(button);
    }
  }
}

/** A scale shows what `setScale` asks for, not what uPlot would round it to. */
const asked = (_u, min, max) => [min, max];

function common(extra) {
  return {
    tzDate: (s) => uPlot.tzDate(new Date(s * 1000), settings.timezone),
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    padding: [10, 24, 0, 0],
    ...extra,
  };
}

// --- limits behind a trend --------------------------------------------------------------------------------

/** Zones as coloured bands with their letters, other limits as lines with their names. */
function drawLimits(limits) {
  return (u) => {
    if (!limits) return;
    const { ctx, bbox } = u;
    const edges = limits.values.map((v) => u.valToPos(v, "y", true));
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `600 ${Math.round(parseFloat(font()) * devicePixelRatio)}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    ctx.lineJoin = "round";
    if (limits.kind === "zones") drawZones(ctx, bbox, edges, limits.labels);
    else drawLines(ctx, bbox, edges, limits.labels);
    ctx.restore();
  };
}

function drawZones(ctx, bbox, edges, letters) {
  const bottom = bbox.top + bbox.height;
  const bounds = [bottom, ...edges, bbox.top];
  letters.forEach((letter, i) => {
    const low = Math.min(bounds[i], bottom);
    const high = Math.max(bounds[i + 1], bbox.top);
    if (low <= high) return;
    ctx.fillStyle = css(`--zone-${letter.toLowerCase()}`);
    ctx.fillRect(bbox.left, high, bbox.width, low - high);
    if (low - high > 14 * devicePixelRatio) name(ctx, letter, bbox.left, (low + high) / 2);
  });
}

function drawLines(ctx, bbox, edges, labels) {
  const tones = labels.length === 3 ? ["--watch", "--alert", "--danger"] : ["--alert", "--danger"];
  edges.forEach((y, i) => {
    if (y < bbox.top) return;
    ctx.strokeStyle = css(tones[i]);
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.setLineDash([8 * devicePixelRatio, 5 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    name(ctx, labels[i], bbox.left, y - 9 * devicePixelRatio);
  });
}

/** A name at the left edge, readable over whatever crosses it. */
function name(ctx, text, left, y) {
  const x = left + 8 * devicePixelRatio;
  ctx.setLineDash([]);
  ctx.strokeStyle = css("--surface");
  ctx.lineWidth = 3 * devicePixelRatio;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = css("--muted");
  ctx.fillText(text, x, y);
}

/** The top of a trend: above all values, and so that the next limit can be seen coming. */
function topOf(highs, limits) {
  const most = Math.max(0, ...highs.filter((v) => v !== null));
  const next = limits?.values.find((v) => v > most);
  const top = Math.max(most * 1.15, next ? Math.min(next * 1.12, most * 2.6 || next * 1.12) : 0);
  return top > 0 ? top : 1;
}

// --- the charts -------------------------------------------------------------------------------------------

const value = (unit) => (_u, v) => (v === null ? "–" : `${number(v, Math.abs(v) < 10 ? 2 : 1)} ${unit}`);
const moment = (_u, s) => (s === null ? "–" : time(s * 1000, { dateStyle: "short", timeStyle: "medium" }));

/** A trend: the mean as a line, lowest to highest of each bucket as a band around it, limits behind. */
export function drawTrend(frame, trend) {
  const data = [trend.times_ms.map((ms) => ms / 1000), trend.mean, trend.low, trend.high];
  const y = { min: Math.min(0, ...trend.low.filter((v) => v !== null)), max: topOf(trend.high, trend.limits) };
  const x = { min: trend.start_ms / 1000, max: trend.end_ms / 1000 };
  const options = () => common({
    scales: { x: { time: true, range: asked }, y: { range: asked } },
    axes: [timeAxis(), valueAxis()],
    series: [
      { label: words.chart_time, value: moment },
      { label: words.chart_mean, stroke: css("--trace"), width: 2, points: { size: 4, fill: css("--trace") }, value: value(trend.unit) },
      { label: words.chart_min, stroke: "transparent", points: { show: false }, value: value(trend.unit) },
      { label: words.chart_max, stroke: "transparent", points: { show: false }, value: value(trend.unit) },
    ],
    bands: [{ series: [3, 2], fill: css("--trace-band") }],
    hooks: { drawClear: [drawLimits(trend.limits)] },
  });
  frame.draw(JSON.stringify([trend.limits, trend.unit, x.max - x.min]), options, data, { x, y });
}

/** Temperatures: one line for each channel. */
export function drawTemperature(frame, answer) {
  const times = [...new Set(answer.series.flatMap((s) => s.times_ms))].sort((a, b) => a - b);
  const lines = answer.series.map((s) => {
    const at = new Map(s.times_ms.map((ms, i) => [ms, s.mean[i]]));
    return times.map((ms) => (at.has(ms) ? at.get(ms) : undefined)); // undefined: not this channel's time, no gap
  });
  const known = lines.flat().filter((v) => v !== null && v !== undefined);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const y = { min: Math.floor((low - 3) / 5) * 5, max: Math.ceil((high + 3) / 5) * 5 };
  const x = { min: answer.start_ms / 1000, max: answer.end_ms / 1000 };
  const tones = ["--trace", "--trace-2", "--trace-3", "--trace-4"];
  const options = () => common({
    scales: { x: { time: true, range: asked }, y: { range: asked } },
    axes: [timeAxis(), valueAxis()],
    series: [
      { label: words.chart_time, value: moment },
      ...answer.series.map((s, i) => ({
        label: `${s.point}/${s.channel}`, stroke: css(tones[i % tones.length]), width: 2,
        dash: i < tones.length ? undefined : [6, 4], points: { size: 4 }, value: value("°C"),
      })),
    ],
  });
  const shape = JSON.stringify([answer.series.map((s) => [s.point, s.channel]), x.max - x.min]);
  frame.draw(shape, options, [times.map((ms) => ms / 1000), ...lines], { x, y });
}

const VELOCITY_BAND_HZ = 1000; // where velocity is judged (ISO 20816-1); above it only acceleration says much

/** The last spectrum with the frequencies to look for, up to 1 kHz or whole; dragging a range enlarges it, a
    double click ends that. */
export function drawSpectrum(frame, answer, { logarithmic, wholeBand }) {
  const amplitude = logarithmic ? answer.amplitude.map((v) => (v > 0 ? v : null)) : answer.amplitude;
  const known = amplitude.filter((v) => v !== null);
  const most = Math.max(...known, 1e-9);
  const least = logarithmic ? Math.max(Math.min(...known), most * 1e-4) : 0; // four decades hold line and floor
  const y = logarithmic
    ? { min: 10 ** Math.floor(Math.log10(least)), max: 10 ** Math.ceil(Math.log10(most * 1.6)) }
    : { min: 0, max: most * 1.25 };
  const last = answer.frequency_hz.at(-1);
  const x = { min: 0, max: wholeBand ? last : Math.min(last, VELOCITY_BAND_HZ) };
  const options = () => common({
    // A double click of uPlot's own shows all there is: here it ends what dragging did.
    cursor: { drag: { x: true, y: false }, points: { size: 7 }, bind: { dblclick: (u) => () => u.setScale("x", x) } },
    scales: { x: { time: false, range: asked }, y: { distr: logarithmic ? 3 : 1, range: () => [y.min, y.max] } },
    axes: [
      axis({ values: (_u, splits) => splits.map((v) => number(v, 0)), size: parseFloat(getComputedStyle(document.documentElement).fontSize) * 2 }),
      logarithmic ? axis({ values: (_u, splits) => splits.map((v) => (v === null ? "" : number(v, digitsFor(v)))) }) : valueAxis(),
    ],
    series: [
      { label: words.chart_frequency, value: (_u, v) => (v === null ? "–" : number(v, 1)) },
      { label: answer.unit, stroke: css("--trace"), width: 1.4, points: { show: false }, value: value(answer.unit) },
    ],
    hooks: { draw: [drawMarkers(answer.markers)] },
  });
  frame.draw(JSON.stringify([answer, logarithmic, wholeBand]), options, [answer.frequency_hz, amplitude], { x, y });
}

const LABEL_ROWS = 4; // more would stand on the lines they point at
/** The shaft first, then fundamentals before their multiples: what people look for keeps its label. */
const byWeight = (a, b) => (b.name === "1×") - (a.name === "1×") || a.harmonic - b.harmonic || a.hz - b.hz;

/** A dashed line for each marker, and its label in the first row where there is room; a line without a label
    still shows where to look. */
function drawMarkers(markers) {
  return (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.font = `${Math.round(parseFloat(font()) * 0.9 * devicePixelRatio)}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    ctx.lineJoin = "round";
    const seen = markers.map((marker) => ({ ...marker, x: u.valToPos(marker.hz, "x", true) }))
      .filter(({ x }) => x >= bbox.left && x <= bbox.left + bbox.width);
    for (const marker of seen) drawMarkerLine(ctx, bbox, marker);
    labelMarkers(ctx, bbox, seen.sort(byWeight));
    ctx.restore();
  };
}

function drawMarkerLine(ctx, bbox, { name, harmonic, x }) {
  ctx.strokeStyle = css(name === "1×" ? "--text" : "--alert");
  ctx.globalAlpha = harmonic === 1 ? 0.9 : 0.45;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
}

/** Labels with a halo, so that they can be read over the lines they cross. */
function labelMarkers(ctx, bbox, markers) {
  const rows = Array.from({ length: LABEL_ROWS }, () => []);
  const height = Math.round(parseFloat(font()) * 1.15 * devicePixelRatio);
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = css("--surface");
  ctx.fillStyle = css("--text");
  ctx.lineWidth = 3 * devicePixelRatio;
  for (const { label, x } of markers) {
    const width = ctx.measureText(label).width + 6 * devicePixelRatio;
    const left = Math.min(x + 3 * devicePixelRatio, bbox.left + bbox.width - width);
    const row = rows.findIndex((taken) => taken.every(([from, to]) => left + width < from || left > to));
    if (row < 0) continue;
    rows[row].push([left, left + width]);
    const y = bbox.top + row * height + devicePixelRatio;
    ctx.strokeText(label, left, y);
    ctx.fillText(label, left, y);
  }
}
