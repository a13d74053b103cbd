// The waterfall: spectra one below the other, the newest at the bottom, on one canvas; by keyboard too.

import { css, day, figure, Frame } from "./charts.js";
import { number, settings } from "./live.js";

const told = settings.machine;
const fill = (text, params) => text.replace(/\{(\w+)\}/g, (_m, name) => params[name] ?? "");
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const EDGE = { left: 104, bottom: 26, top: 8, right: 16 };

export class Waterfall {
  constructor(id) {
    this.frame = new Frame(id);
    this.readout = document.getElementById(`${id}-readout`);
    this.canvas = document.createElement("canvas");
    this.canvas.className = "fall";
    this.canvas.setAttribute("aria-hidden", "true");
    this.frame.box.append(this.canvas);
    this.answer = null;
    this.at = null;
    new ResizeObserver(() => this.draw()).observe(this.frame.box);
    this.frame.box.addEventListener("keydown", (event) => this.key(event));
    this.frame.box.addEventListener("pointermove", (event) => this.point(event));
  }

  show(answer) {
    this.answer = answer;
    this.at = null;
    this.draw();
  }

  get size() {
    const { clientWidth, clientHeight } = this.frame.box;
    return { width: clientWidth - EDGE.left - EDGE.right, height: clientHeight - EDGE.top - EDGE.bottom };
  }

  draw() {
    const { answer, canvas } = this;
    const ratio = devicePixelRatio;
    canvas.width = this.frame.box.clientWidth * ratio;
    canvas.height = this.frame.box.clientHeight * ratio;
    const ctx = canvas.getContext("2d");
    if (!answer || canvas.width === 0) return;
    const { width, height } = this.size;
    ctx.scale(ratio, ratio);
    const image = this.image(ctx);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(image, EDGE.left, EDGE.top, width, height);
    this.axes(ctx, width, height);
    if (this.at) this.cross(ctx, width, height);
  }

  /** One pixel for each time and frequency, from the ground's colour to the text's. */
  image(ctx) {
    const { rows } = this.answer;
    const [from, middle, to] = ["--surface", "--trace", "--text"].map((name) => colour(ctx, css(name)));
    const picture = new OffscreenCanvas(rows[0].length, rows.length);
    const inner = picture.getContext("2d");
    const data = inner.createImageData(rows[0].length, rows.length);
    rows.forEach((row, r) => row.forEach((step, c) => {
      const share = step / 255;
      const [a, b, s] = share < 0.6 ? [from, middle, share / 0.6] : [middle, to, (share - 0.6) / 0.4];
      const place = (r * row.length + c) * 4;
      for (let k = 0; k < 3; k++) data.data[place + k] = a[k] + (b[k] - a[k]) * s;
      data.data[place + 3] = 255;
    }));
    inner.putImageData(data, 0, 0);
    return picture;
  }

  axes(ctx, width, height) {
    const { times_ms: times, frequency_hz: hz } = this.answer;
    const top = hz.at(-1) + hz[0];
    ctx.fillStyle = css("--muted");
    ctx.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "top";
    ctx.textAlign = "center";
    for (let k = 0; k <= 4; k++) ctx.fillText(`${number((top * k) / 4, 0)}${k === 4 ? "\u00a0Hz" : ""}`, EDGE.left + (width * k) / 4 - (k === 4 ? 14 : 0), EDGE.top + height + 6);
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    const every = Math.max(1, Math.ceil((times.length * 18) / height));
    times.forEach((ms, i) => {
      if (i % every === 0) ctx.fillText(day(ms), EDGE.left - 6, EDGE.top + ((i + 0.5) * height) / times.length);
    });
  }

  cross(ctx, width, height) {
    const { times_ms: times, frequency_hz: hz } = this.answer;
    const [r, c] = this.at;
    ctx.strokeStyle = css("--alert");
    ctx.lineWidth = 1.5;
    ctx.strokeRect(EDGE.left + (c * width) / hz.length, EDGE.top, width / hz.length, height);
    ctx.strokeRect(EDGE.left, EDGE.top + (r * height) / times.length, width, height / times.length);
  }

  point(event) {
    if (!this.answer) return;
    const box = this.frame.box.getBoundingClientRect();
    const { width, height } = this.size;
    const c = Math.floor(((event.clientX - box.left - EDGE.left) / width) * this.answer.frequency_hz.length);
    const r = Math.floor(((event.clientY - box.top - EDGE.top) / height) * this.answer.times_ms.length);
    this.move(r, c);
  }

  key(event) {
    if (!this.answer || !(event.key in MOVES)) return;
    event.preventDefault();
    const [r, c] = this.at ?? [this.answer.times_ms.length - 1, 0];
    const [dr, dc] = MOVES[event.key];
    this.move(r + dr, c + dc * (event.shiftKey ? 10 : 1));
  }

  move(r, c) {
    const { times_ms: times, frequency_hz: hz, rows, most, decades, unit } = this.answer;
    if (r < 0 || c < 0 || r >= times.length || c >= hz.length) return;
    this.at = [r, c];
    const step = rows[r][c];
    const v = step > 0 ? most * 10 ** ((step / 255 - 1) * decades) : 0;
    this.readout.textContent = fill(told.fall_at, { when: day(times[r]), hz: number(hz[c], 1), value: figure(v), unit });
    this.draw();
  }
}

/** The red, green and blue of a CSS colour. */
function colour(ctx, text) {
  ctx.save();
  ctx.fillStyle = text;
  const told = ctx.fillStyle;
  ctx.restore();
  return [1, 3, 5].map((k) => parseInt(told.slice(k, k + 2), 16));
}
