// Where lines are looked for: a dashed line for each marker, a light band as wide as its tolerance, and its name.

import { css, font } from "./charts.js";

const LABEL_ROWS = 4; // more would stand on the lines they point at
/** The shaft first, then fundamentals before their multiples: what people look for keeps its label. */
const byWeight = (a, b) => (b.name === "1×") - (a.name === "1×") || a.harmonic - b.harmonic || a.hz - b.hz;

/** A dashed line for each marker, and its label in the first row where there is room; a line without a label
    still shows where to look. `per` is what the axis divides frequencies by; `what` is "bands" (behind the
    spectrum) or "lines" (over it). */
export function drawMarkers(markers, per, what) {
  return (u) => {
    const { ctx, bbox } = u;
    if (what === "bands") return drawTolerances(u, markers, per);
    ctx.save();
    ctx.font = `${Math.round(parseFloat(font()) * 0.9 * devicePixelRatio)}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    ctx.lineJoin = "round";
    const seen = markers.map((marker) => ({ ...marker, x: u.valToPos(marker.hz / per, "x", true) }))
      .filter(({ x }) => x >= bbox.left && x <= bbox.left + bbox.width);
    for (const marker of seen) drawMarkerLine(ctx, bbox, marker);
    labelMarkers(ctx, bbox, seen.sort(byWeight));
    ctx.restore();
  };
}

/** The width in which a line still belongs to its marker; one narrower than two pixels shows nothing. */
function drawTolerances(u, markers, per) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { name, hz, half_hz: half } of markers) {
    const [left, right] = [hz - half, hz + half].map((f) => u.valToPos(f / per, "x", true));
    if (right - left < 2) continue;
    ctx.fillStyle = css(name === "1×" ? "--muted" : "--alert");
    ctx.globalAlpha = 0.12;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
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
