// The customers on the left: who I am now, who has news.

import {$, fill, h, icon, post, words} from "./dom.js";
import {isOwn, summary} from "./bubbles.js";

const TINTS = ["a3", "a4", "a5", "a2", "a6", "a1"];

export function nameOf(chat) {
  const name = [chat.first_name, chat.last_name].filter(Boolean).join(" ").replace(/\u3164/g, "").trim();
  return name || words.nameless;
}

function initials(chat) {
  const name = nameOf(chat);
  if (name === words.nameless) return "?";
  return name.split(/\s+/).slice(0, 2).map((part) => [...part][0]).join("").toUpperCase();
}

function line(chat) {
  if (chat.blocked) return h("span", {class: "off"}, icon("x"), words.stopped);
  if (!chat.last) return h("span", {}, chat.started ? "" : words.notStarted);
  const text = summary(chat.last);
  return h("span", {}, isOwn(chat.last) ? fill(words.you_prefix, {text}) : text);
}

export function show(chats, currentId, unread) {
  const focused = document.activeElement?.getAttribute("href");
  $("people-list").replaceChildren(...chats.map((chat, index) => h("li", {}, h("a",
    {href: `#${chat.id}`, "aria-current": chat.id === currentId ? "true" : null},
    h("span", {class: `avatar ${nameOf(chat) === words.nameless ? "" : TINTS[index % TINTS.length]}`, "aria-hidden": "true"}, initials(chat)),
    h("span", {class: "nm"}, h("b", {}, nameOf(chat)), line(chat)),
    h("span", {class: "lang"}, chat.language_code || "–"),
    unread.get(chat.id) ? h("span", {class: "count", role: "img", "aria-label": fill(words.unread, {n: unread.get(chat.id)})}, String(unread.get(chat.id))) : null))));
  if (focused) $("people-list").querySelector(`[href="${focused}"]`)?.focus({preventScroll: true});
}

export function start() {
  const dialog = $("person-dialog");
  $("add-person").addEventListener("click", () => dialog.showModal());
  $("person-cancel").addEventListener("click", () => dialog.close());
  $("person-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const person = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== ""));
    const {id} = await post("/sandbox/chats", person);
    event.target.reset();
    dialog.close();
    location.hash = String(id);
  });
}
