// A list that follows the stream: changed items replace the old ones in place, in the server's order, and the
// element that has the focus keeps it.

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

/** What finds the same control again in an item that was drawn anew. */
function trace(item) {
  const active = document.activeElement;
  if (active === item) return "";
  if (!item.contains(active)) return null;
  return active.matches("button") ? "button" : `a[href="${CSS.escape(active.getAttribute("href") ?? "")}"]`;
}

function refocus(item, selector) {
  if (selector === null) return;
  const target = selector === "" ? item : item.querySelector(selector) ?? item.querySelector("a, button");
  target?.focus({ preventScroll: true });
}

/** `name` is the data attribute that tells items apart, `drawn` {key: html} of those that changed. */
export function keep(list, name, drawn, order) {
  const attribute = `data-${name}`;
  const of = (key) => list.querySelector(`:scope > [${attribute}="${CSS.escape(key)}"]`);
  for (const [key, html] of Object.entries(drawn)) {
    const old = of(key);
    const fresh = parsed(html);
    if (!old) list.append(fresh);
    else {
      const focused = trace(old);
      old.replaceWith(fresh);
      refocus(fresh, focused);
    }
  }
  const wanted = new Set(order);
  for (const item of [...list.children]) {
    if (!wanted.has(item.getAttribute(attribute))) item.remove();
  }
  order.forEach((key, place) => {
    const item = of(key);
    if (item && list.children[place] !== item) {
      const focused = trace(item);
      list.insertBefore(item, list.children[place]);
      refocus(item, focused);
    }
  });
}
