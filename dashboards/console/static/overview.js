// The plant overview: takes changed tiles from the stream and keeps them in the server's order, the worst first.

import { follow, showBanner } from "./live.js";

const tiles = document.getElementById("tiles");

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

function tileOf(machine) {
  return tiles.querySelector(`:scope > [data-machine="${CSS.escape(machine)}"]`);
}

function replace(machine, html) {
  const old = tileOf(machine);
  const fresh = parsed(html);
  if (!old) {
    tiles.append(fresh);
    return;
  }
  const focused = document.activeElement === old;
  old.replaceWith(fresh);
  if (focused) fresh.focus({ preventScroll: true });
}

function arrange(order) {
  tiles.dataset.size = order.length <= 6 ? "few" : order.length <= 12 ? "some" : "many";
  const wanted = new Set(order);
  for (const tile of [...tiles.children]) {
    if (!wanted.has(tile.dataset.machine)) tile.remove();
  }
  order.forEach((machine, place) => {
    const tile = tileOf(machine);
    if (tile && tiles.children[place] !== tile) {
      const focused = document.activeElement === tile;
      tiles.insertBefore(tile, tiles.children[place]);
      if (focused) tile.focus({ preventScroll: true });
    }
  });
}

follow({
  overview(news) {
    for (const [machine, html] of Object.entries(news.tiles)) replace(machine, html);
    arrange(news.order);
    if (news.summary !== undefined) document.getElementById("summary").innerHTML = news.summary;
    if (news.announce !== undefined) document.getElementById("announce").textContent = news.announce;
    showBanner(news.banner);
  },
});
