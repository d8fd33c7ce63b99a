// The queue: read again when something changed, but never shuffled under a hand.

import { byId, counted, morph, once, parsed, part, words } from "./parts.js";
import { showTitle } from "./title.js";

const PAUSE = [500, 2000]; // ms: everybody hears at once, but should not ask at once

let queueTimer;
let isQueueOld = false;
let waiting; // the latest queue, kept back while the order is frozen
let isPointerInside = false;

export function refreshQueueSoon() {
  if (document.hidden) {
    isQueueOld = true;
  } else if (!queueTimer) {
    const [least, most] = PAUSE;
    queueTimer = setTimeout(refreshQueue, least + Math.random() * (most - least));
  }
}

const fetchQueue = once(async () => {
  const { url, view, v } = byId("queue").dataset;
  const html = await part(`${url}?view=${view}&v=${v}`);
  // Another view may have been chosen meanwhile.
  if (html && byId("queue").dataset.view === view) await showQueue(parsed(html).getElementById("queue"));
});

export function refreshQueue() {
  clearTimeout(queueTimer);
  queueTimer = undefined;
  isQueueOld = false;
  return fetchQueue();
}

async function showQueue(fresh) {
  renewToken(fresh.querySelector("[name=csrfmiddlewaretoken]").value);
  if (isFrozen(fresh)) {
    await showRowsInPlace(fresh);
  } else {
    waiting = undefined;
    await morph(byId("queue"), fresh.outerHTML);
  }
  showQueueNews();
  showTitle();
}

// Under a pointer or the keyboard's focus the order stays, and so it does where more than the first page is open.
function isFrozen(fresh) {
  const list = byId("queue-list");
  const isOpenFurther = list.querySelectorAll(".row").length > fresh.querySelectorAll(".row").length && fresh.querySelector("#more-rows");
  return isPointerInside || list.querySelector(":focus-visible") || isOpenFurther;
}

async function showRowsInPlace(fresh) {
  waiting = fresh;
  await showRows(fresh);
  // Only at the end of a day rows further down have other words though nothing has happened to their tickets.
  if (fresh.dataset.until !== byId("queue").dataset.until) await showRowsFurther(fresh);
  markLeft(fresh);
  await morph(document.querySelector(".queue-head"), fresh.querySelector(".queue-head").outerHTML);
  Object.assign(byId("queue").dataset, { v: fresh.dataset.v, until: fresh.dataset.until });
}

// Returns how many of the rows this page shows.
async function showRows(fresh) {
  const rows = [...fresh.querySelectorAll(".row")].filter((row) => byId(row.id));
  for (const row of rows) await morph(byId(row.id), row.outerHTML);
  return rows.length;
}

async function showRowsFurther(fresh) {
  let page = fresh;
  do {
    const more = page.querySelector("#more-rows a");
    if (!more) return;
    page = parsed(await part(more.getAttribute("href")));
  } while (await showRows(page));
}

// What has left the view keeps its place under the hand, but what it said may not be true any more. Of more than a page
// nobody knows here what has left.
function markLeft(fresh) {
  if (fresh.querySelector("#more-rows")) return;
  for (const row of byId("queue-list").querySelectorAll(".row")) {
    if (fresh.querySelector(`#${row.id}`)) continue;
    row.removeAttribute("data-unread");
    row.querySelector(".count")?.remove();
    const time = row.querySelector(".wait");
    time.removeAttribute("data-since"); // else it would count on
    time.textContent = words.leftView;
    row.setAttribute("data-left", "");
  }
}

function showQueueNews() {
  const button = byId("queue-news");
  const rows = waiting ? [...waiting.querySelectorAll(".row")].filter((row) => !byId(row.id)) : [];
  button.hidden = rows.length === 0;
  if (rows.length) button.querySelector("span").textContent = counted("rows", rows.length);
}

// Another view has been chosen, or the whole page came anew: what was kept back is older.
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.target === document.body || ctx.target?.id === "queue") waiting = undefined;
});

async function thaw() {
  if (!waiting) return;
  const fresh = waiting;
  waiting = undefined;
  // A key may have chosen another view meanwhile.
  if (fresh.dataset.view === byId("queue").dataset.view) await morph(byId("queue"), fresh.outerHTML);
  showQueueNews();
}

document.addEventListener("pointerover", (event) => {
  const isInside = event.pointerType !== "touch" && Boolean(event.target.closest("#queue-list, #queue-news"));
  const hasLeft = isPointerInside && !isInside;
  isPointerInside = isInside;
  if (hasLeft && waiting && !isFrozen(waiting)) thaw();
});
document.documentElement.addEventListener("pointerleave", () => {
  isPointerInside = false;
  if (waiting && !isFrozen(waiting)) thaw();
});
document.addEventListener("focusout", () => setTimeout(() => {
  if (waiting && !isFrozen(waiting)) thaw();
}));
document.addEventListener("click", (event) => {
  if (!event.target.closest("#queue-news")) return;
  byId("queue-list").scrollTo({ top: 0, behavior: "instant" });
  thaw();
});

// Signing in again elsewhere gives forms a new secret; without it this page could only be refused.
function renewToken(token) {
  document.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((field) => { field.value = token; });
  document.body.setAttribute("hx-headers:inherited", JSON.stringify({ "X-CSRFToken": token }));
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isQueueOld) refreshQueue();
});
