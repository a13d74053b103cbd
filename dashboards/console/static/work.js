// Work on a machine: forms only. What was recorded is read back by asking for the page's lists again.

import "./acts.js";
import { follow, released } from "./live.js";

async function readBack() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) return; // what was done has been said; the lists are there at the next visit
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  await released();
  for (const id of ["baseline", "done"]) {
    const now = fresh.getElementById(id);
    if (now) document.getElementById(id)?.replaceWith(now);
  }
}

document.addEventListener("acted", readBack);
follow({});
