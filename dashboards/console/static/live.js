// What all pages share: the settings the server left in the page, plant time, ages in words, and the stream.

export const settings = JSON.parse(document.getElementById("settings").textContent);
export const words = settings.words;
export const locale = { fr: "fr-FR", en: "en-GB", ar: "ar-MA" }[settings.lang];

// Plant time runs at its own rate (a demo shows days in minutes); each message of the server sets it anew.
const origin = { plantMs: settings.now_ms, at: performance.now() };

export function plantNow() {
  return origin.plantMs + (performance.now() - origin.at) * settings.rate;
}

export function setPlantNow(ms) {
  origin.plantMs = ms;
  origin.at = performance.now();
}

/** What the plant's clocks show at a moment, as milliseconds of a day in UTC: by the offsets that the server told,
 * for the time zones that a browser knows may be older or newer than the server's. */
export function wall(ms) {
  const minute = ms / 60000;
  const since = settings.offsets.findLast(([from]) => from <= minute) ?? settings.offsets[0];
  return ms + since[1] * 60000;
}

const formats = new Map();

/** A time of day or date in the plant's zone, 24 h; `options` as for Intl.DateTimeFormat. */
export function time(ms, options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) {
    const fixed = { timeZone: "UTC", hourCycle: "h23", numberingSystem: "latn" };
    formats.set(key, new Intl.DateTimeFormat(locale, { ...fixed, ...options }));
  }
  return formats.get(key).format(wall(ms));
}

export function number(value, digits) {
  return new Intl.NumberFormat(locale, {
    minimumFractionDigits: digits, maximumFractionDigits: digits, numberingSystem: "latn",
  }).format(value);
}

/** The same steps and words as `Words.age` on the server. */
function age(ms, form) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [step, unit] = s >= 86400 ? [86400, "days"] : s >= 3600 ? [3600, "hours"] : s >= 60 ? [60, "minutes"] : [1, "seconds"];
  const span = words[`span_${unit}`].replace("{n}", Math.floor(s / step));
  return words[`since_${form}`].replace("{span}", span);
}

function tick() {
  const now = plantNow();
  const clock = document.getElementById("now-text");
  setText(clock, time(now, { hour: "2-digit", minute: "2-digit" }));
  for (const element of document.querySelectorAll("time.age")) {
    const ms = Number(element.dataset.ms);
    setText(element, age(now - ms, element.dataset.form));
    if (!element.title) {
      element.dateTime = new Date(ms).toISOString();
      element.title = time(ms, { dateStyle: "medium", timeStyle: "medium" });
    }
  }
}

function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// --- the stream -------------------------------------------------------------------------------------------

const LOST_MS = 5000; // a restart of the service takes less; a wall screen must not show old states for longer
const SILENT_MS = 40000; // the server beats each 15 s: two missing beats are a dead link that TCP has not noticed

let lastHeard = performance.now();
let lost = null;

function heard(message) {
  lastHeard = performance.now();
  lost = null;
  document.body.classList.add("live");
  document.body.classList.remove("offline");
  setText(document.getElementById("link-text"), words.live_on);
  document.getElementById("lost")?.remove();
  document.getElementById("session-over")?.remove();
  const data = JSON.parse(message.data);
  setPlantNow(data.now_ms);
  return data;
}

/** The states on the screen are no longer the present ones: say so, and take their colour away. */
function showLost() {
  document.body.classList.remove("live");
  document.body.classList.add("offline");
  setText(document.getElementById("link-text"), words.live_off);
  if (document.getElementById("lost")) return;
  const note = document.createElement("p");
  note.id = "lost";
  note.className = "banner-text";
  note.setAttribute("role", "alert");
  note.textContent = words.live_lost;
  document.getElementById("main").prepend(note);
}

/** What stands on every page: the banner, and how many alarms wait. */
function shell(news) {
  showBanner(news.banner);
  if (news.waiting === undefined) return;
  document.getElementById("waiting").hidden = !news.waiting;
  setText(document.getElementById("waiting-n"), String(news.waiting));
}

/** Whether somebody wrote something here that is not sent yet. */
function written() {
  return [...document.querySelectorAll("main form input:not([type=hidden]), main form textarea")].some(
    (field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked,
  );
}

/** The session is over, or its account is not any more: say so, with the way back to here. Nothing is reloaded, for
 * somebody may be writing: then the login opens in another tab, and what was written is sent from here after it. */
async function lookForSession() {
  if (document.getElementById("session-over")) return;
  const answer = await fetch(`${settings.root}/session`).catch(() => null);
  if (answer?.status !== 401 || document.getElementById("session-over")) return; // asked twice at once
  const note = document.createElement("p");
  note.id = "session-over";
  note.className = "banner-text";
  note.setAttribute("role", "alert");
  const link = document.createElement("a");
  link.href = `${settings.root}/login?next=${encodeURIComponent(location.pathname.slice(settings.root.length) + location.search)}`;
  link.textContent = words.js_log_in;
  link.addEventListener("click", () => { link.target = written() ? "_blank" : ""; });
  note.append(`${words.js_session_over} `, ...(written() ? [`${words.js_session_kept} `] : []), link);
  document.getElementById("main").prepend(note);
}

// An element that is drawn anew or moves between press and release loses its click: what changes the page waits for
// the release. Not for ever, for a press may end where no page hears of it.
const PRESS_MS = 5000;

let held = null; // the timer of a press that lasts
const waiting = [];

function hold(ms) {
  clearTimeout(held);
  held = setTimeout(release, ms);
}

function release() {
  held = null;
  for (const show of waiting.splice(0)) show();
}

addEventListener("pointerdown", (press) => { if (press.button === 0) hold(PRESS_MS); }, true);
for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => hold(0), true); // the click comes first

/** At once, or after the press that lasts. */
export const released = () => (held === null ? Promise.resolve() : new Promise((go) => waiting.push(go)));

/** Follow the stream; `handlers` maps names of events to functions of their data. */
export function follow(handlers) {
  handlers = { shell, ...handlers };
  let source = null;
  const open = () => {
    source = new EventSource(settings.root + settings.stream);
    for (const name of ["shell", "overview", "alarms", "alarm", "machine", "beat"]) {
      source.addEventListener(name, (message) => {
        const data = heard(message);
        const show = () => handlers[name]?.(data);
        if (held === null) show();
        else waiting.push(show);
      });
    }
    source.onerror = () => { lost ??= performance.now(); };
  };
  open();
  setInterval(() => {
    const now = performance.now();
    if ((lost !== null && now - lost > LOST_MS) || now - lastHeard > SILENT_MS) showLost();
    const dead = now - lastHeard > SILENT_MS;
    if (source.readyState === EventSource.CLOSED) lookForSession();
    if (source.readyState === EventSource.CLOSED || dead) { // an answer that is no stream ends an EventSource for good
      source.close();
      lastHeard = dead ? now : lastHeard;
      lost ??= now;
      open();
    }
  }, 3000);
}

export function showBanner(html) {
  if (html !== undefined) document.getElementById("banner").innerHTML = html;
}

tick();
setInterval(() => released().then(tick), 1000); // an age that takes another line moves what stands below it
