// The trends of a machine: what is judged with its limits, baseline and flags; families of lines; the fan.

import { asked, axis, common, css, day, figure, font, known, moment, timeAxis, value, valueAxis } from "./charts.js";
import { settings, words } from "./live.js";

const told = settings.machine;
const fill = (text, params) => text.replace(/\{(\w+)\}/g, (_m, name) => params[name] ?? "");

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
  const tones = labels.length === 3 ? ["--watch", "--alert", "--danger"] : labels.length === 1 ? ["--danger"] : ["--alert", "--danger"];
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
function topOf(highs, limits, baseline) {
  const most = Math.max(0, ...highs.filter((v) => v !== null));
  const next = limits?.values.find((v) => v > most);
  const top = Math.max(most * 1.15, next ? Math.min(next * 1.12, most * 2.6 || next * 1.12) : 0);
  const alert = limits ? 0 : (baseline?.alert ?? 0) * 1.12;
  return Math.max(top, alert) || 1;
}


// --- flags ------------------------------------------------------------------------------------------------

/** A line and a number at the top for each event; the list under the chart says what they are. */
function drawFlags(flags) {
  return (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.font = font().replace(/^\d+/, (px) => Math.round(px * devicePixelRatio));
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    ctx.lineWidth = devicePixelRatio;
    flags.forEach((flag, i) => {
      const x = u.valToPos(flag.ms / 1000, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.strokeStyle = css("--muted");
      ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.strokeStyle = css("--surface");
      ctx.lineWidth = 3 * devicePixelRatio;
      ctx.strokeText(`⚑${i + 1}`, x, bbox.top + 2);
      ctx.lineWidth = devicePixelRatio;
      ctx.fillStyle = css("--text");
      ctx.fillText(`⚑${i + 1}`, x, bbox.top + 2);
    });
    ctx.restore();
  };
}

/** The baseline: a band where healthy blocks lie, its median, and the limits by it as lines with their names. */
function drawBaseline(baseline) {
  return (u) => {
    if (!baseline) return;
    const { ctx, bbox } = u;
    const y = (v) => u.valToPos(v, "y", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    if (baseline.low !== null) {
      ctx.fillStyle = css("--trace-band");
      ctx.fillRect(bbox.left, y(baseline.high), bbox.width, y(baseline.low) - y(baseline.high));
    }
    ctx.textBaseline = "middle";
    ctx.font = font().replace(/^\d+/, (px) => Math.round(px * devicePixelRatio));
    const lines = [[baseline.level, "--muted", told.baseline, [1, 3]], [baseline.alert, "--alert", told.alert_limit, [8, 5]], [baseline.danger, "--danger", told.danger_limit, [8, 5]]];
    for (const [level, tone, text, dash] of lines) {
      if (level === null || level === undefined) continue;
      ctx.strokeStyle = css(tone);
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.setLineDash(dash.map((d) => d * devicePixelRatio));
      ctx.beginPath();
      ctx.moveTo(bbox.left, y(level));
      ctx.lineTo(bbox.left + bbox.width, y(level));
      ctx.stroke();
      ctx.textAlign = "right";
      name(ctx, text, bbox.left + bbox.width - 16 * devicePixelRatio, y(level) - 9 * devicePixelRatio);
    }
    ctx.restore();
  };
}

/** The sentence behind a chart: the last value, the range, and where nobody measured. */
export function sayTrend(series, unit) {
  const lines = series.filter((s) => known(s.mean).length).map((s) => {
    const last = s.mean.findLastIndex((v) => v !== null);
    return fill(told.said_trend, {
      label: `\u2068${s.label ?? ""}\u2069`, last: figure(s.mean[last]), unit: s.unit ?? unit ?? "", when: day(s.times_ms[last]),
      low: figure(Math.min(...known(s.low))), high: figure(Math.max(...known(s.high))),
    });
  });
  return lines.join(" ");
}

/** A trend: the mean as a line, lowest to highest of each bucket as a band around it, limits behind. */
export function drawTrend(frame, trend, marks) {
  const data = [trend.times_ms.map((ms) => ms / 1000), trend.mean, trend.low, trend.high];
  const y = { min: Math.min(0, ...trend.low.filter((v) => v !== null)), max: topOf(trend.high, trend.limits, marks?.baseline) };
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
    hooks: { drawClear: [drawLimits(trend.limits), drawBaseline(marks?.baseline)], draw: [drawFlags(marks?.flags ?? [])] },
  });
  frame.draw(JSON.stringify([trend.limits, trend.unit, x.max - x.min, marks]), options, data, { x, y });
}

const TONES = ["--trace", "--trace-2", "--trace-3", "--trace-4", "--muted"];

/** Lines of one unit, or of two: those of the second have their axis at the right. */
export function drawFamily(frame, answer, { zero = false, pad = 0, top = null } = {}) {
  const series = answer.series;
  const times = [...new Set(series.flatMap((s) => s.times_ms))].sort((a, b) => a - b);
  const lines = series.map((s) => {
    const at = new Map(s.times_ms.map((ms, i) => [ms, s.mean[i]]));
    return times.map((ms) => (at.has(ms) ? at.get(ms) : undefined)); // undefined: not this line's time, no gap
  });
  const units = [...new Set(series.map((s) => s.unit))];
  const scaleOf = (s) => (units.indexOf(s.unit) > 0 ? "y2" : "y");
  const range = (which) => {
    const values = lines.filter((_l, i) => scaleOf(series[i]) === which).flatMap(known);
    if (!values.length) return { min: 0, max: 1 };
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = Math.max((high - low) * 0.08, Math.abs(high) * 0.02, pad, 1e-9);
    return { min: zero ? Math.min(0, low) : low - margin, max: top ?? high + margin };
  };
  const x = { min: answer.start_ms / 1000, max: answer.end_ms / 1000 };
  const two = units.length > 1;
  const options = () => common({
    scales: { x: { time: true, range: asked }, y: { range: asked }, ...(two ? { y2: { range: asked } } : {}) },
    axes: [
      timeAxis(), valueAxis({ label: two ? units[0] : undefined }),
      ...(two ? [valueAxis({ scale: "y2", side: 1, grid: { show: false }, label: units[1] })] : []),
    ],
    series: [
      { label: words.chart_time, value: moment },
      ...series.map((s, i) => ({
        label: s.label, scale: scaleOf(s), stroke: css(s.ambient ? "--muted" : TONES[i % TONES.length]), width: 2,
        dash: s.ambient ? [3, 4] : i < TONES.length ? undefined : [6, 4], points: { size: 4 }, value: value(s.unit),
      })),
    ],
  });
  const shape = JSON.stringify([series.map((s) => [s.name, s.unit]), x.max - x.min]);
  const scales = { x, y: range("y"), ...(two ? { y2: range("y2") } : {}) };
  frame.draw(shape, options, [times.map((ms) => ms / 1000), ...lines], scales);
}

/** By how much a housing is warmer than expected, as it was judged, with what alerts and what is dangerous. */
export function drawResidual(frame, answer) {
  const data = [answer.times_ms.map((ms) => ms / 1000), answer.mean, answer.low, answer.high];
  const y = { min: Math.min(-0.2 * answer.alert, ...known(answer.low)) * 1.1, max: Math.max(answer.danger, ...known(answer.high)) * 1.1 };
  const x = { min: answer.start_ms / 1000, max: answer.end_ms / 1000 };
  const lines = { kind: "lines", values: [answer.alert, answer.danger], labels: [
    fill(told.residual_alert, { limit: figure(answer.alert) }), fill(told.residual_danger, { limit: figure(answer.danger) }),
  ] };
  const options = () => common({
    scales: { x: { time: true, range: asked }, y: { range: asked } },
    axes: [timeAxis(), valueAxis()],
    series: [
      { label: words.chart_time, value: moment },
      { label: told.residual_label, stroke: css("--trace"), width: 2, points: { size: 4 }, value: value(answer.unit) },
      { label: words.chart_min, stroke: "transparent", points: { show: false }, value: value(answer.unit) },
      { label: words.chart_max, stroke: "transparent", points: { show: false }, value: value(answer.unit) },
    ],
    bands: [{ series: [3, 2], fill: css("--trace-band") }],
    hooks: { drawClear: [drawLimits(lines)] },
  });
  frame.draw(JSON.stringify([lines.values, x.max - x.min]), options, data, { x, y });
}

/** What grows, the threshold, and from the last value to it the fan: between P10 and P90, with P50. */
export function drawFan(frame, answer) {
  const last = answer.mean.findLastIndex((v) => v !== null);
  const start = answer.mean[last] ?? 0;
  const ends = [answer.p10_ms, answer.p50_ms, answer.p90_ms];
  const x = { min: (answer.times_ms[0] ?? answer.from_ms) / 1000, max: (answer.p90_ms + (answer.p90_ms - answer.from_ms) * 0.05) / 1000 };
  const top = Math.max(answer.threshold ?? 0, ...known(answer.high)) * 1.15 || 1;
  const draw = (u) => {
    const { ctx, bbox } = u;
    const at = (ms, v) => [u.valToPos(ms / 1000, "x", true), u.valToPos(v, "y", true)];
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const from = at(answer.from_ms, start);
    const to = ends.map((ms) => at(ms, answer.threshold));
    ctx.fillStyle = css("--trace-band");
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...to[0]);
    ctx.lineTo(...to[2]);
    ctx.closePath();
    ctx.fill();
    ctx.strokeStyle = css("--trace");
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...to[1]);
    ctx.stroke();
    ctx.font = font().replace(/^\d+/, (px) => Math.round(px * devicePixelRatio));
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    ["P10", "P50", "P90"].forEach((text, i) => {
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.moveTo(to[i][0], to[i][1]);
      ctx.lineTo(to[i][0], bbox.top + bbox.height);
      ctx.lineWidth = devicePixelRatio;
      ctx.stroke();
      name(ctx, text, to[i][0] - 8 * devicePixelRatio, to[i][1] - 12 * devicePixelRatio);
    });
    ctx.restore();
  };
  const limits = { kind: "lines", values: [answer.threshold], labels: [told.danger_limit] };
  const options = () => common({
    scales: { x: { time: true, range: asked }, y: { range: asked } },
    axes: [timeAxis(), axis({ values: (_u, splits) => splits.map((v) => figure(v)) })],
    series: [
      { label: words.chart_time, value: moment },
      { label: answer.label, stroke: css("--trace"), width: 2, points: { size: 3 }, value: value(answer.unit) },
    ],
    hooks: { drawClear: [drawLimits(limits)], draw: [draw] },
  });
  frame.draw(JSON.stringify([answer.p10_ms, answer.p90_ms, answer.threshold]), options, [answer.times_ms.map((ms) => ms / 1000), answer.mean], { x, y: { min: 0, max: top } });
}
