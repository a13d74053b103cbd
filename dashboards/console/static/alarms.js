// The list of open alarms: changed rows come from the stream, which reads the ingest's records.

import "./acts.js";
import { keep } from "./keyed.js";
import { follow } from "./live.js";

const list = document.getElementById("alarms");

follow({
  alarms(news) {
    keep(list, "alarm", news.rows, news.order);
    document.getElementById("alarms-problem").hidden = !news.problem;
    document.getElementById("calm").hidden = Boolean(news.order.length || news.problem);
    document.getElementById("announce").textContent = news.announce;
  },
});
