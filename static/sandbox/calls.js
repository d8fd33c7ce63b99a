// The journal: what the bot called and how it was answered, newest first.

import {$, exactTime, fill, h, words} from "./dom.js";

const SHOWN = 200;
let paused = false;
let held = [];

function outcome(call) {
  const ms = fill(words.ms, {n: call.ms});
  if (call.direction === "customer") return {code: words.accepted, ms, level: null};
  if (call.status === 429) {
    return {code: "429", ms: fill(words.wait, {n: call.description.match(/\d+$/)?.[0] ?? "?"}), level: "wait"};
  }
  if (call.status === null) return {code: words.none, ms: call.outcome === "hang" ? words.hung : words.cut, level: "bad"};
  return {code: String(call.status), ms, level: call.status === 200 ? null : "bad"};
}

function row(call) {
  const {code, ms, level} = outcome(call);
  const fromCustomer = call.direction === "customer";
  return h("li", {class: fromCustomer ? "in" : null, "data-level": level, title: call.description},
    h("time", {}, exactTime(call.at)),
    h("span", {class: "m"}, h("span", {class: "vh"}, fromCustomer ? words.toBot : words.toCustomer), call.method),
    h("span", {class: code === "200" ? "code ok" : "code"}, code),
    h("span", {class: "ms"}, ms));
}

export function show(calls) {
  held = [];
  $("calls").replaceChildren(...calls.slice(-SHOWN).reverse().map(row));
}

export function add(call) {
  if (paused) {
    held.push(call);
    return;
  }
  const list = $("calls");
  list.prepend(row(call));
  while (list.children.length > SHOWN) list.lastChild.remove();
}

export function start() {
  $("calls-pause").addEventListener("click", ({currentTarget}) => {
    paused = !paused;
    currentTarget.setAttribute("aria-pressed", String(paused));
    if (!paused) held.splice(0).forEach(add);
  });
  $("calls-clear").addEventListener("click", () => {
    held = [];
    $("calls").replaceChildren();
  });
}
