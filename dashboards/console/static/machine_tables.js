// Tables and sentences of the machine page that say what charts show.

import { day, figure, known } from "./charts.js";
import { number, settings } from "./live.js";

const told = settings.machine;
export const fill = (text, params) => text.replace(/\{(\w+)\}/g, (_m, name) => params[name] ?? "");

/** A table of texts: `heads` are [text, is a number]. */
export function table(heads, rows) {
  const made = document.createElement("table");
  made.className = "plain";
  const head = made.createTHead().insertRow();
  for (const [text, right] of heads) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = text;
    if (right) cell.className = "right";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((text, i) => {
      const cell = i === 0 ? document.createElement("th") : document.createElement("td");
      if (i === 0) cell.scope = "row";
      cell.textContent = text;
      if (heads[i][1]) { cell.className = "right"; cell.dir = "ltr"; }
      line.append(cell);
    });
  }
  const box = document.createElement("div");
  box.className = "table-box";
  box.append(made);
  return box;
}

/** The highest lines of a spectrum, with the marker that each is near. */
export function peaksTable(answer) {
  const shaft = answer.speed_rpm ? answer.speed_rpm / 60 : null;
  const rows = answer.peaks.map((i) => {
    const hz = answer.frequency_hz[i];
    const near = answer.markers.filter((m) => Math.abs(m.hz - hz) <= m.half_hz).map((m) => m.label);
    return [number(hz, 2), shaft ? number(hz / shaft, 3) : "–", figure(answer.amplitude[i]), [...new Set(near)].join(", ") || "–"];
  });
  return table([["Hz", true], [told.order, true], [answer.unit, true], [told.near_head, false]], rows);
}

/** What a spectrum shows, in a sentence: its highest line and the markers at which something stands. */
export function saySpectrum(answer) {
  const i = answer.peaks[0];
  if (i === undefined) return told.said_flat;
  const hz = answer.frequency_hz[i];
  const near = answer.markers.find((m) => Math.abs(m.hz - hz) <= m.half_hz);
  const at = near ? fill(told.said_near, { label: near.label }) : "";
  return fill(told.said_spectrum, { hz: number(hz, 2), value: figure(answer.amplitude[i]), unit: answer.unit, near: at });
}

/** Last, least and greatest of each feature that tells of a sensor. */
export function sensorTable(answer) {
  const rows = answer.series.map((s) => {
    const last = s.mean.findLast((v) => v !== null);
    return [s.label, figure(last), figure(Math.min(...known(s.low))), figure(Math.max(...known(s.high))), s.unit];
  });
  return table([[told.feature, false], [told.last, true], [told.least, true], [told.greatest, true], [told.unit, false]], rows);
}

/** Values of two dates beside each other. */
export function comparedTable(answer) {
  const rows = answer.rows.map((r) => [r.label, r.then, r.now, r.ratio, r.unit]);
  return table([[told.feature, false], [day(answer.then_ms), true], [day(answer.now_ms), true], [told.ratio, true], [told.unit, false]], rows);
}

/** The events over a trend, numbered as their flags are. */
export function flagItems(flags) {
  return flags.map((flag, i) => {
    const item = document.createElement("li");
    item.textContent = `${i + 1} · ${day(flag.ms)} · ${flag.label}`;
    return item;
  });
}
