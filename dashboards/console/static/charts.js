// What every chart of a machine stands on: its frame, its axes, its numbers. Drawn by uPlot (vendored). Charts
// read from left to right in every language.
/* global uPlot */

import { number, time, wall, words } from "./live.js";

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/** Decimals that tell multiples of `step` apart. */
export const digitsFor = (step) => [0, 1, 2, 3, 4, 5].find((d) => Math.abs(step * 10 ** d - Math.round(step * 10 ** d)) < 1e-6) ?? 6;

export function font() {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return `${Math.round(size * 0.78)}px ${getComputedStyle(document.body).fontFamily}`;
}

export function axis(extra) {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return {
    stroke: css("--muted"), font: font(), labelFont: font(),
    grid: { stroke: css("--grid"), width: 1 }, ticks: { stroke: css("--grid"), width: 1, size: 5 },
    size: size * 3.4, gap: 4, ...extra,
  };
}

export function timeAxis() {
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

export function valueAxis(extra) {
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
export const asked = (_u, min, max) => [min, max];

export function common(extra) {
  return {
    tzDate: (s) => uPlot.tzDate(new Date(wall(s * 1000)), "UTC"),
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    padding: [10, 24, 0, 0],
    ...extra,
  };
}


/** A number with about three figures, as the server's `figure`. */
export function figure(v) {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  if (Math.abs(v) >= 100 || Number.isInteger(v)) return number(v, 0);
  return number(v, Math.abs(v) >= 10 ? 1 : Math.abs(v) >= 0.1 ? 2 : 4);
}

export const value = (unit) => (_u, v) => (v === null || v === undefined ? "–" : `${figure(v)}\u00a0${unit}`);
export const moment = (_u, s) => (s === null ? "–" : time(s * 1000, { dateStyle: "short", timeStyle: "medium" }));
export const day = (ms) => time(ms, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** What is known of a column. */
export const known = (column) => column.filter((v) => v !== null && v !== undefined);
