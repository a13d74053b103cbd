// The plant overview: takes changed tiles from the stream and keeps them in the server's order, the worst first.

import { keep } from "./keyed.js";
import { follow } from "./live.js";

const tiles = document.getElementById("tiles");

follow({
  overview(news) {
    tiles.dataset.size = news.size;
    keep(tiles, "machine", news.tiles, news.order);
    if (news.summary !== undefined) document.getElementById("summary").innerHTML = news.summary;
    if (news.announce !== undefined) document.getElementById("announce").textContent = news.announce;
  },
});
