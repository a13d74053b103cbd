// One alarm: its facts and its story follow the stream; of the forms, those that make sense now are shown.

import "./acts.js";
import { follow } from "./live.js";

follow({
  alarm(news) {
    for (const [id, html] of Object.entries(news.fragments)) {
      const holder = document.getElementById(id);
      if (holder && holder.innerHTML !== html) holder.innerHTML = html;
    }
    for (const field of document.querySelectorAll("input[name=expected_version]")) field.value = news.version;
    for (const act of document.querySelectorAll("#acts > [data-can]")) {
      const name = act.dataset.can;
      if (name !== "verdict") act.hidden = !news.can.includes(name);
    }
  },
});
