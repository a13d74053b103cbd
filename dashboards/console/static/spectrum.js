// A spectrum of one block: scales, markers with their tolerance, cursors of harmonics and sidebands, another date
// behind it. By mouse, finger and keyboard.
/* global uPlot */

import { asked, axis, common, css, digitsFor, figure, Frame, valueAxis } from "./charts.js";
import { number, settings, words } from "./live.js";
import { drawMarkers } from "./spectrum_markers.js";

const told = settings.machine;
const fill = (text, params) => text.replace(/\{(\w+)\}/g, (_m, name) => params[name] ?? "");

const HARMONICS = 8;
const SIDEBANDS = 4; // on each side
const KEYS = { ArrowLeft: -1, ArrowRight: 1 };

export class Spectrum {
  /** `ask(from, to)` fetches lines again for a part that is enlarged. */
  constructor(id, ask) {
    this.frame = new Frame(id);
    this.readout = document.getElementById(`${id}-readout`);
    this.said = document.getElementById(`${id}-said`);
    this.ask = ask;
    this.answer = null;
    this.other = null;
    this.zoom = null;
    this.at = null;
    this.options = { logarithmic: false, orders: false, markers: true, cursor: "one", gap: "1", top: Infinity };
    this.lines = [];
    this.frame.box.addEventListener("keydown", (event) => this.key(event));
  }

  /** Show an answer (null: nothing is there), with that of another date or without. */
  show(answer, other) {
    this.answer = answer;
    this.other = other ?? null;
    this.draw();
  }

  set(options) {
    Object.assign(this.options, options);
    if (this.answer) this.draw();
  }

  /** What the horizontal axis is divided by: 1 (Hz), or the speed of the shaft (orders). */
  get per() {
    const rpm = this.answer?.speed_rpm;
    return this.options.orders && rpm ? rpm / 60 : 1;
  }

  get shaft() {
    return this.answer?.speed_rpm ? this.answer.speed_rpm / 60 : null;
  }

  draw() {
    const { answer, other, options } = this;
    const log = options.logarithmic;
    const clean = (a) => (log ? a.map((v) => (v > 0 ? v : null)) : a);
    const own = [answer.frequency_hz.map((f) => f / this.per), clean(answer.amplitude)];
    const behind = other ? [other.frequency_hz.map((f) => f / this.per), clean(other.amplitude)] : null;
    const data = behind ? uPlot.join([own, behind]) : own;
    const x = this.zoom ?? { min: 0, max: Math.min(answer.top_hz, options.top) / this.per };
    const y = this.height(data, x, log);
    const series = [
      { label: this.per === 1 ? words.chart_frequency : told.order, value: (_u, v) => (v === null ? "–" : number(v, 2)) },
      { label: answer.unit, stroke: css("--trace"), width: 1.4, points: { show: false }, spanGaps: true, value: (_u, v) => figure(v) },
    ];
    if (behind) series.push({ label: told.then, stroke: css("--trace-2"), width: 1.2, dash: [4, 2], points: { show: false }, spanGaps: true, value: (_u, v) => figure(v) });
    const make = () => common({
      cursor: { drag: { x: true, y: false }, points: { size: 7 }, bind: { dblclick: () => () => this.enlarge(null) } },
      scales: { x: { time: false, range: asked }, y: { distr: log ? 3 : 1, range: () => [y.min, y.max] } },
      axes: [
        axis({ values: (_u, splits) => splits.map((v) => number(v, digitsFor(splits[1] - splits[0] || 1))), size: 34 }),
        log ? axis({ values: (_u, splits) => splits.map((v) => (v === null ? "" : number(v, digitsFor(v)))) }) : valueAxis(),
      ],
      series,
      hooks: {
        drawClear: options.markers ? [drawMarkers(answer.markers, this.per, "bands")] : [],
        draw: options.markers ? [drawMarkers(answer.markers, this.per, "lines")] : [],
        setCursor: [(u) => this.moved(u)],
        setSelect: [(u) => this.selected(u)],
        ready: [(u) => this.mark(u)],
      },
    });
    const shape = JSON.stringify([answer.ts_ms, answer.kind, other?.ts_ms, options, x, answer.frequency_hz.length]);
    this.frame.draw(shape, make, data, { x });
    this.moved(this.frame.plot);
  }

  height(data, x, log) {
    const inside = [];
    for (const column of data.slice(1)) column.forEach((v, i) => { if (v !== null && v !== undefined && data[0][i] >= x.min && data[0][i] <= x.max) inside.push(v); });
    const most = Math.max(...inside, 1e-9);
    if (!log) return { min: 0, max: most * 1.25 };
    const least = Math.max(Math.min(...inside, most), most * 1e-4); // four decades hold line and floor
    return { min: 10 ** Math.floor(Math.log10(least)), max: 10 ** Math.ceil(Math.log10(most * 1.6)) };
  }

  /** A range that was dragged. */
  selected(u) {
    if (u.select.width < 8) return;
    const [from, to] = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.enlarge({ min: from, max: to });
  }

  /** Show a part with all its lines, or the whole again. */
  async enlarge(zoom) {
    this.zoom = zoom;
    const per = this.per;
    await this.ask(zoom ? Math.max(0, zoom.min * per) : null, zoom ? zoom.max * per : null);
  }

  // --- cursors --------------------------------------------------------------------------------------------

  /** Lines over the chart for the cursor's harmonics or sidebands: elements, so that nothing is drawn again. */
  mark(u) {
    this.lines = Array.from({ length: Math.max(HARMONICS - 1, 2 * SIDEBANDS) }, () => {
      const line = document.createElement("div");
      line.className = "cursor-line";
      line.hidden = true;
      u.over.append(line);
      return line;
    });
  }

  moved(u) {
    if (!u || !this.answer) return;
    const i = u.cursor.idx;
    if (i === null || i === undefined) return;
    const at = u.data[0][i];
    this.at = i;
    const places = this.places(at);
    this.lines.forEach((line, k) => {
      const left = k < places.length ? u.valToPos(places[k], "x") : -1;
      line.hidden = !(left >= 0 && left <= u.over.clientWidth);
      if (!line.hidden) line.style.left = `${left}px`;
    });
    this.readout.textContent = this.tell(at, u.data[1][i], u.data[2]?.[i]);
  }

  /** Where the cursor's other lines are, in the unit of the axis. */
  places(at) {
    if (this.options.cursor === "harmonics") return Array.from({ length: HARMONICS - 1 }, (_v, k) => at * (k + 2));
    const gap = this.gap();
    if (this.options.cursor !== "sidebands" || gap === null) return [];
    return Array.from({ length: 2 * SIDEBANDS }, (_v, k) => at + (k % 2 ? 1 : -1) * (Math.floor(k / 2) + 1) * gap);
  }

  /** The distance of sidebands in the unit of the axis, null without a speed. */
  gap() {
    if (!this.shaft) return null;
    const cage = this.answer.markers.find((m) => m.name === "ftf" && m.harmonic === 1);
    const hz = this.options.gap === "ftf" ? cage?.hz : this.shaft * Number(this.options.gap);
    return hz ? hz / this.per : null;
  }

  tell(at, v, then) {
    const hz = at * this.per;
    const parts = [`${number(hz, 2)}\u00a0Hz`];
    if (this.shaft) parts.push(`${number(hz / this.shaft, 3)}×`);
    parts.push(`${figure(v)}\u00a0${this.answer.unit}`);
    if (then !== undefined && then !== null) parts.push(`${told.then} ${figure(then)}`);
    const near = this.answer.markers.filter((m) => Math.abs(m.hz - hz) <= m.half_hz).sort((a, b) => Math.abs(a.hz - hz) - Math.abs(b.hz - hz))[0];
    if (near) parts.push(fill(told.near, { label: near.label, off: number(100 * (hz / near.hz - 1), 2) }));
    if (this.options.cursor === "harmonics") parts.push(fill(told.harmonics_of, { n: HARMONICS }));
    if (this.options.cursor === "sidebands") parts.push(this.gap() === null ? told.no_speed : fill(told.sidebands_of, { gap: number(this.gap() * this.per, 2) }));
    return parts.map((part) => `\u2068${part}\u2069`).join(" · ");
  }

  key(event) {
    const u = this.frame.plot;
    if (!u || event.ctrlKey || event.metaKey || event.altKey) return;
    const n = u.data[0].length;
    let i = this.at ?? Math.floor(n / 2);
    if (event.key in KEYS) i += KEYS[event.key] * (event.shiftKey ? 10 : 1);
    else if (event.key === "Home") i = 0;
    else if (event.key === "End") i = n - 1;
    else if (event.key === "p") i = this.nextPeak(i);
    else if (event.key === "+") this.enlarge(this.around(u, 0.5));
    else if (event.key === "-" || event.key === "Escape") this.enlarge(null);
    else return;
    event.preventDefault();
    i = Math.min(n - 1, Math.max(0, i));
    this.at = i;
    u.setCursor({ left: u.valToPos(u.data[0][i], "x"), top: u.over.clientHeight / 2 });
  }

  around(u, share) {
    const half = ((u.scales.x.max - u.scales.x.min) * share) / 2;
    const middle = u.data[0][this.at ?? 0] ?? 0;
    return { min: Math.max(0, middle - half), max: middle + half };
  }

  /** The next of the highest lines, from left to right and around. */
  nextPeak(i) {
    const places = this.answer.peaks.map((k) => this.answer.frequency_hz[k] / this.per).sort((a, b) => a - b);
    const here = this.frame.plot.data[0][i];
    const next = places.find((f) => f > here * (1 + 1e-9)) ?? places[0];
    return next === undefined ? i : this.frame.plot.data[0].findIndex((f) => f >= next - 1e-9);
  }
}
