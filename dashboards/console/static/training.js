// The list of exercises while they are prepared: bars move, and the page comes anew when one is ready.

import { settings } from "./live.js";

const EVERY_MS = 2000;

async function look() {
  const waiting = [...document.querySelectorAll("[data-preparing]")];
  if (!waiting.length) return;
  try {
    const answer = await fetch(`${settings.root}/training/ready`, { headers: { accept: "application/json" } });
    const share = answer.ok ? await answer.json() : {};
    for (const row of waiting) {
      const now = share[row.dataset.exercise] ?? 0;
      row.querySelector("progress").value = now;
      if (now >= 1) return typing() ? setTimeout(look, EVERY_MS) : location.reload();
    }
  } catch { /* the next look will tell */ }
  setTimeout(look, EVERY_MS);
}

/** Who writes their name is not interrupted. */
const typing = () => document.activeElement?.matches("input");

if (document.getElementById("settings")) setTimeout(look, EVERY_MS);
