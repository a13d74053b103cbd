// The waveform of one block, drawn by uPlot (vendored): seconds from its start.

import { asked, axis, common, css, digitsFor, value, valueAxis } from "./charts.js";
import { number, settings } from "./live.js";

const told = settings.machine;

/** The least and the greatest of each pixel; `most` is the highest of both. */
export function drawWave(frame, answer, most) {
  const x = { min: 0, max: answer.length_s };
  const options = () => common({
    cursor: { drag: { x: true, y: false }, points: { size: 7 }, bind: { dblclick: (u) => () => u.setScale("x", x) } },
    scales: { x: { time: false, range: asked }, y: { range: asked } },
    axes: [axis({ values: (_u, splits) => splits.map((v) => number(v, digitsFor(splits[1] - splits[0] || 1))), size: 34 }), valueAxis()],
    series: [
      { label: told.seconds, value: (_u, v) => (v === null ? "–" : number(v, 4)) },
      { label: answer.unit, stroke: css("--trace"), width: 1, points: { show: false }, value: value(answer.unit) },
    ],
  });
  frame.draw(`${answer.ts_ms}`, options, [answer.seconds, answer.value], { x, y: { min: -most * 1.08, max: most * 1.08 } });
}
