// What an open page does with what it hears (stream.js). It fetches the part that changed through the ordinary view,
// which asks for rights again, and puts it in so that nothing under the reader's hands or eyes moves.

const QUEUE_PAUSE = [500, 2000]; // ms: everybody hears at once, but should not ask at once
const SAY_OFF_AFTER = 3000; // ms: a server that restarts is back before anybody needs to know
const PEER_WRITES = 60_000; // ms after the last sign of writing
const AT_BOTTOM = 48; // px
const MANY = 100; // lines; an answer with so many may have left out more

const words = document.getElementById("words").dataset;
const plural = new Intl.PluralRules(document.documentElement.lang);
const byId = (id) => document.getElementById(id);
const sheet = () => document.querySelector(".ticket[data-ticket]");

// The words come with a sample number in each plural form; the number is put in here.
function counted(name, number) {
  const forms = { one: "One", few: "Few", many: "Many", other: "Many" };
  return words[name + forms[plural.select(number)]].replace(/\d+/, number);
}

// Parts of the page ------------------------------------------------------------------------------------------------

class NotGot extends Error {
  constructor(status) {
    super(`answered with ${status}`);
    this.status = status;
  }
}

// The part's HTML; nothing where the page has it already.
async function part(address) {
  const headers = { "HX-Request": "true", "HX-Current-URL": location.href };
  const cutOff = () => { throw new NotGot(0); };
  const answer = await fetch(address, { headers, cache: "no-store" }).catch(cutOff);
  if (!answer.ok) throw new NotGot(answer.status);
  return answer.text().catch(cutOff);
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

function morph(target, text) {
  return htmx.swap({ sourceElement: document.body, target, text, swap: "outerMorph" });
}

// Many knocks, one answer: while a fetch is under way, one more is remembered, and only one.
function once(work) {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await work();
      }
    } catch (error) {
      if (!(error instanceof NotGot)) throw error;
      // The next change, or the next "on", asks again.
    } finally {
      running = false;
    }
  };
}

// The conversation -------------------------------------------------------------------------------------------------

let heard = []; // ids of messages that must be on the page
let unread = 0; // others' messages added out of sight
let addedInHiding = 0;
let isBehind = false; // something could not be fetched

const isAtBottom = () => byId("log").scrollTop > -AT_BOTTOM;
const lastOf = (name) => Math.max(0, ...[...document.querySelectorAll(`#log-list > [data-${name}]`)].map((line) => Number(line.dataset[name])));

async function ofTicket(work) {
  const asked = sheet();
  if (!asked) return;
  try {
    await work(asked.dataset.url, () => sheet() === asked);
  } catch (error) {
    isBehind = true;
    if (error.status === 404 && sheet() === asked) showGone();
    else throw error;
  }
}

const showNews = once(() => ofTicket(async (url, isStillOpen) => {
  let lines;
  do {
    // Ids are given before they are committed: a message may come after one with a higher id.
    heard = heard.filter((id) => !byId(`m${id}`));
    const after = Math.min(lastOf("message"), ...heard.map((id) => id - 1));
    heard = [];
    lines = parsed(await part(`${url}messages/?after=${after}&event=${lastOf("event")}`));
    if (!isStillOpen()) return;
  } while (addLines(lines) >= MANY);
}));

// Returns how many lines were new.
function addLines(lines) {
  const list = byId("log-list");
  const wasAtBottom = isAtBottom();
  dropKnown(lines);
  joinAlbums(lines);
  const theirs = lines.querySelectorAll(":is(.msg:not(.out), .note)").length;
  const added = [...lines.children];
  for (const line of added) list.insertBefore(line, placeOf(line, list));
  added.forEach((line) => htmx.process(line));
  if (!wasAtBottom) unread += theirs;
  if (document.hidden) addedInHiding += theirs;
  showJump();
  showTitle();
  return added.length;
}

// What this page has already: the answer to one's own reply and the stream both bring it.
function dropKnown(lines) {
  for (const line of [...lines.children]) {
    const known = line.id ? byId(line.id) : line.dataset.day && document.querySelector(`#log-list > [data-day="${line.dataset.day}"]`);
    // The page opened with such a line, or is being read.
    if (known || line.matches(".fresh")) line.remove();
  }
}

// An album comes picture by picture; its later ones belong into the bubble of the first.
function joinAlbums(lines) {
  for (const line of lines.querySelectorAll("[data-album]")) {
    const first = document.querySelector(`#log-list > [data-album="${CSS.escape(line.dataset.album)}"]`);
    if (!first) continue;
    line.remove();
    showMessage(first.dataset.message);
  }
}

function placeOf(line, list) {
  const id = Number(line.dataset.message);
  return id ? [...list.children].find((other) => Number(other.dataset.message) > id) ?? null : null;
}

const showMessage = (id) => once(() => ofTicket(async (url, isStillOpen) => {
  const html = await part(`${url}message/${id}/`);
  if (isStillOpen()) await renew(parsed(html).firstElementChild);
}))();

// After a time of silence: messages this page has may have been sent, changed or filled with their files.
const showKnown = once(() => ofTicket(async (url, isStillOpen) => {
  const lines = parsed(await part(`${url}messages/`));
  if (!isStillOpen()) return;
  for (const line of lines.querySelectorAll("[data-message]")) await renew(line);
  isBehind = false;
}));

async function renew(line) {
  const shown = byId(line.id)?.closest("li");
  // A bubble open for editing is under somebody's hands.
  if (shown && !shown.querySelector("textarea") && !shown.isEqualNode(line)) await morph(shown, line.outerHTML);
}

const showParts = once(() => ofTicket(async (url, isStillOpen) => {
  const view = byId("queue").dataset.view;
  const version = byId("ticket-head").dataset.version;
  const show = async (name, id) => {
    const html = await part(`${url}${name}/?v=${version}&view=${view}`);
    if (html && isStillOpen()) await morph(byId(id), html);
    return html;
  };
  if (await show("head", "ticket-head")) await Promise.all([show("panel", "panel-ticket"), show("state", "ticket-state")]);
}));

let peerTimer;
const showPeer = once(() => ofTicket(async (url, isStillOpen) => {
  const html = await part(`${url}peer/`);
  if (!isStillOpen()) return;
  byId("peer").innerHTML = html.trim();
  clearTimeout(peerTimer);
  if (html.trim()) peerTimer = setTimeout(showPeer, PEER_WRITES);
}));

// The ticket went to people this person is not one of. The text stays: it may be wanted elsewhere.
function showGone() {
  sheet().dataset.gone = "";
  const strip = document.createElement("div");
  strip.className = "strip warn";
  strip.append(Object.assign(document.createElement("p"), { textContent: words.gone }));
  byId("guard").replaceChildren(strip);
}

function showBack() {
  delete sheet().dataset.gone;
  byId("guard").replaceChildren();
}

function showJump() {
  const jump = byId("jump");
  if (!jump) return;
  jump.hidden = unread === 0;
  if (unread) jump.querySelector("span").textContent = counted("messages", unread);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#jump")) byId("log").scrollTo({ top: 0, behavior: "instant" });
});
document.addEventListener("scroll", (event) => {
  if (event.target.id !== "log" || !unread || !isAtBottom()) return;
  unread = 0;
  showJump();
}, true);

// The queue --------------------------------------------------------------------------------------------------------

let queueTimer;
let isQueueOld = false;
let waiting; // the latest queue, kept back while the order is frozen
let isPointerInside = false;

function refreshQueueSoon() {
  if (document.hidden) {
    isQueueOld = true;
  } else if (!queueTimer) {
    const [least, most] = QUEUE_PAUSE;
    queueTimer = setTimeout(refreshQueue, least + Math.random() * (most - least));
  }
}

const fetchQueue = once(async () => {
  const { url, view, v } = byId("queue").dataset;
  const html = await part(`${url}?view=${view}&v=${v}`);
  // Another view may have been chosen meanwhile.
  if (html && byId("queue").dataset.view === view) await showQueue(parsed(html).getElementById("queue"));
});

function refreshQueue() {
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
  for (const row of fresh.querySelectorAll(".row")) {
    const shown = byId(row.id);
    if (shown && shown.dataset.version !== row.dataset.version) await morph(shown, row.outerHTML);
  }
  await morph(document.querySelector(".queue-head"), fresh.querySelector(".queue-head").outerHTML);
  byId("queue").dataset.v = fresh.dataset.v;
}

function showQueueNews() {
  const button = byId("queue-news");
  const rows = waiting ? [...waiting.querySelectorAll(".row")].filter((row) => !byId(row.id)) : [];
  button.hidden = rows.length === 0;
  if (rows.length) button.querySelector("span").textContent = counted("rows", rows.length);
}

async function thaw() {
  if (!waiting) return;
  const fresh = waiting;
  waiting = undefined;
  await morph(byId("queue"), fresh.outerHTML);
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

// The page itself --------------------------------------------------------------------------------------------------

// «(3) …»: unread in the list beside, and what came to the open ticket while the page was not looked at.
function showTitle() {
  const counts = [...document.querySelectorAll("#queue-list .row .count")].map((count) => Number(count.textContent));
  const total = Math.max(counts.reduce((sum, count) => sum + count, 0), addedInHiding);
  const plain = document.title.replace(/^\(\d+\) /, "");
  document.title = total ? `(${total}) ${plain}` : plain;
}

let offTimer;
function showLive(state) {
  clearTimeout(offTimer);
  const show = () => {
    const dot = byId("live");
    document.documentElement.dataset.live = state;
    dot.dataset.live = state;
    dot.setAttribute("aria-label", dot.dataset[state]);
    byId("offline").hidden = state === "on";
  };
  if (state === "on") show();
  else offTimer = setTimeout(show, SAY_OFF_AFTER);
}

// Whatever happens to a ticket moves its version on: where that stands still, nothing was missed.
async function catchUp() {
  const version = byId("ticket-head")?.dataset.version;
  await showParts();
  if ("gone" in (sheet()?.dataset ?? {})) return;
  if (!isBehind && byId("ticket-head")?.dataset.version === version) return;
  await showNews();
  await showKnown();
}

document.body.addEventListener("live:on", () => {
  showLive("on");
  refreshQueue();
  catchUp();
});
document.body.addEventListener("live:off", () => showLive("off"));

document.body.addEventListener("live:change", ({ detail: { kind, ticket, message } }) => {
  if (kind !== "peer") refreshQueueSoon();
  if (String(ticket) !== sheet()?.dataset.ticket) return;
  if (kind === "gone") {
    showGone();
    return;
  }
  if ("gone" in sheet().dataset) showBack();
  if (kind === "peer") {
    showPeer();
  } else if (kind === "message-state") {
    showMessage(message);
    showParts();
  } else if (kind !== "read") {
    if (message) heard.push(message);
    showNews();
    showParts();
    showPeer();
  }
});

// The session is over. A page with unsent words keeps them in sight; any other goes to the login page.
document.body.addEventListener("live:expired", async ({ detail: { login } }) => {
  if (!byId("reply-text")?.value.trim() && !byId("attached")?.children.length) {
    location.assign(`${login}?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  const answer = await fetch(login, { headers: { "HX-Request": "true" } });
  byId("guard").innerHTML = await answer.text();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  addedInHiding = 0;
  showTitle();
  if (isQueueOld) refreshQueue();
});

// Another ticket has been opened.
document.body.addEventListener("desk:ticket", () => {
  unread = 0;
  heard = [];
  isBehind = false;
  showTitle();
  catchUp(); // since its page was made
});

showTitle();
