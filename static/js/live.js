// What an open page does with what it hears (stream.js).

import { now } from "./clock.js";
import { hasEdits } from "./editing.js";
import { catchUp, hear, showParts } from "./live/conversation.js";
import { byId, sheet } from "./live/parts.js";
import { refreshQueue, refreshQueueSoon } from "./live/queue.js";
import { showTitle } from "./live/title.js";
import { hearTrouble } from "./live/trouble.js";

const DAY_CHECKED = 30_000; // ms
const SAY_OFF_AFTER = 3000; // ms: a server that restarts is back before anybody needs to know

function show(state) {
  const dot = byId("live");
  document.documentElement.dataset.live = state;
  dot.dataset.live = state;
  dot.setAttribute("aria-label", dot.dataset[state]);
  byId("offline").hidden = state !== "off";
  byId("crowded").hidden = state !== "crowded";
}

let offTimer;
function showLive(state) {
  clearTimeout(offTimer);
  if (state !== "off") show(state);
  else offTimer = setTimeout(show, SAY_OFF_AFTER, state);
}

document.body.addEventListener("desk:restored", () => {
  const { live } = document.documentElement.dataset;
  if (live) show(live);
});

document.body.addEventListener("live:on", () => {
  showLive("on");
  refreshQueue();
  catchUp();
});
document.body.addEventListener("live:off", () => showLive("off"));
document.body.addEventListener("live:crowded", () => showLive("crowded"));

document.body.addEventListener("live:change", ({ detail: change }) => {
  if (change.kind === "trouble") {
    hearTrouble(change);
    return;
  }
  if (change.kind !== "peer") refreshQueueSoon();
  if (String(change.ticket) === sheet()?.dataset.ticket) hear(change);
});

// The session is over. A page with unsent words keeps them in sight; any other goes to the login page.
document.body.addEventListener("live:expired", async ({ detail: { login } }) => {
  const isTyped = byId("reply-text")?.value.trim() || byId("attached")?.children.length || hasEdits();
  if (!isTyped || !byId("guard")) {
    location.assign(`${login}?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  const answer = await fetch(login, { headers: { "HX-Request": "true" } });
  byId("guard").innerHTML = await answer.text();
});

// At midnight «сегодня» becomes «вчера», though nothing has happened of which the stream would tell.
const isOver = (part) => Date.parse(part?.dataset.until) <= now();

function endDay() {
  if (document.hidden) return;
  if (isOver(byId("queue"))) refreshQueue();
  if (isOver(byId("ticket-head")) && !("gone" in sheet().dataset)) showParts();
}

setInterval(endDay, DAY_CHECKED);
document.addEventListener("visibilitychange", endDay);

// By then the page has the title that came with an answer.
document.addEventListener("htmx:finally:request", showTitle);
showTitle();
