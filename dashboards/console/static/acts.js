// Forms that ask the ingest for something. What is then shown of an alarm comes from the stream, which reads
// the records: nothing is assumed here. Without this script the forms work by themselves, a page later.

import { released, settings, words } from "./live.js";

const said = document.getElementById("said");

function newId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Say what became of it, where the eye is: at the bottom of a phone. */
export function say(outcome, sentence) {
  said.className = `said said-${outcome}`;
  said.textContent = sentence;
  said.hidden = false;
}

function signed(form) {
  const name = form.elements.user.value.trim();
  const holder = document.querySelector("#sign .signed");
  holder.textContent = words.js_signed.replace("{name}", "");
  const shown = document.createElement("bdi");
  shown.id = "user";
  shown.textContent = name;
  holder.append(shown);
  document.getElementById("sign").open = false;
}

function post(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  return fetch(form.action, { method: "POST", headers: { accept: "application/json" }, body });
}

/** Whether the forms carry another session's token now: the same person logged in again, in another tab. Somebody
 * else's is not taken: what stands here would be signed by a name that is not the one shown. */
async function renewed(form) {
  const answer = await fetch(`${settings.root}/session`);
  const session = answer.ok ? await answer.json() : {};
  if (!session.token || session.token === form.elements.token.value) return false;
  if (session.name !== document.getElementById("user")?.textContent) return false;
  for (const field of document.querySelectorAll("input[name=token]")) field.value = session.token;
  return true;
}

async function send(form, button) {
  let answer = await post(form, button);
  if (answer.status === 403 && (await renewed(form))) answer = await post(form, button);
  const told = await answer.json().catch(() => ({})); // a proxy in between answers in a language of its own
  if (!answer.ok || !told.outcome) throw new Error(told.error ?? words.js_unreachable);
  return told;
}

/** After a reply the next press is another command; where none came, the same one may be sent again. */
function after(form, told) {
  if (told.outcome === "unanswered" || told.outcome === "unsigned") return;
  if (form.elements.id) form.elements.id.value = newId();
  if (told.outcome !== "done") return;
  if (form.dataset.send === "sign") signed(form);
  else {
    for (const field of form.querySelectorAll("input:not([type=hidden]):not([type=radio]), textarea")) field.value = "";
    const details = form.closest("details.act");
    if (details) details.open = false;
  }
}

const onTheirWay = new Set(); // and not marked on the button, which the stream may draw anew meanwhile

document.addEventListener("submit", async (submitted) => {
  const form = submitted.target;
  if (!form.dataset?.send) return;
  submitted.preventDefault();
  const button = submitted.submitter;
  const pressed = button?.value || form; // one form may serve many rows, each with a button of its own
  if (onTheirWay.has(pressed)) return; // pressed twice: once is enough
  onTheirWay.add(pressed);
  button?.setAttribute("aria-busy", "true");
  try {
    const told = await send(form, button);
    await released(); // what it says moves what stands below it
    say(told.outcome, told.sentence);
    after(form, told);
    if (told.outcome === "unsigned") {
      const sign = document.getElementById("sign");
      sign.open = true;
      sign.querySelector("input[name=user]").focus();
    }
    if (told.outcome === "done") document.dispatchEvent(new CustomEvent("acted", { detail: form }));
  } catch (error) {
    say("unanswered", error instanceof TypeError ? words.js_unreachable : error.message);
  } finally {
    onTheirWay.delete(pressed);
    button?.removeAttribute("aria-busy");
  }
});
