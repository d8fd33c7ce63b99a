// The open ticket: news are put in so that nothing under the reader's hands or eyes moves.

import { byId, counted, morph, once, parsed, part, sheet, words } from "./parts.js";
import { countUnlookedAt } from "./title.js";

const PEER_WRITES = 60_000; // ms after the last sign of writing
const AT_BOTTOM = 48; // px
const MANY = 100; // lines; an answer with so many may have left out more
const DAY = 86_400_000; // ms
const SERIES = 40; // photos that stand open until the page asks which of them to fold

let heard = []; // ids of messages that must be on the page
let unread = 0; // others' messages added out of sight
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
  showJump();
  countUnlookedAt(theirs);
  if (wasAtBottom && photosOpen() >= askToFoldAt) foldSeries();
  return added.length;
}

const photosOpen = () => document.querySelectorAll("#log-list > .msg:not(.out):has(.album)").length;
let askToFoldAt = SERIES;

// Photos that go on coming: the older ones go where a page made now would have them, while nobody looks at them.
const foldSeries = once(() => ofTicket(async (url, isStillOpen) => {
  const fresh = parsed(await part(`${url}messages/`));
  if (!isStillOpen() || !isAtBottom()) return;
  for (const fold of fresh.querySelectorAll(".series")) {
    const [first, last] = [Number(fold.dataset.first), Number(fold.dataset.last)];
    const isWithin = ({ dataset: { message, first: begins } }) => Number(message ?? begins) >= first && Number(message ?? begins) <= last;
    const folded = [...byId("log-list").children].filter(isWithin);
    const isLookedAt = (line) => line.contains(document.activeElement) || line.querySelector("details[open], textarea");
    if (!folded.length || folded.some(isLookedAt)) continue;
    folded[0].before(fold);
    folded.forEach((line) => line.remove());
    htmx.process(fold);
  }
  askToFoldAt = photosOpen() + SERIES / 2;
}));

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
  if (byId(`m${id}`)?.closest(".series details:not([open])")) return; // fetched when it is opened
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
  if (shown?.dataset.message && !shown.querySelector("textarea") && !shown.isEqualNode(line)) await morph(shown, line.outerHTML);
}

export const showParts = once(() => ofTicket(async (url, isStillOpen) => {
  const view = byId("queue").dataset.view;
  const version = byId("ticket-head").dataset.version;
  const show = async (name, id) => {
    const html = await part(`${url}${name}/?v=${version}&view=${view}`);
    if (html && isStillOpen()) await morph(byId(id), html);
    return html;
  };
  if (!(await show("head", "ticket-head"))) return;
  turnDay();
  await Promise.all([show("panel", "panel-ticket"), show("state", "ticket-state")]);
  if (worked !== works()) showKnown();
  worked = works();
}));

// The words of a day where the ticket's team is: the headings turn where they stand, what the server words comes anew.
const today = () => byId("ticket-head")?.dataset.today;
let day = today();

function turnDay() {
  if (day === today()) return;
  day = today();
  if (!day) return;
  const yesterday = new Date(Date.parse(day) - DAY).toISOString().slice(0, day.length);
  const phrases = { [day]: words.today, [yesterday]: words.yesterday };
  for (const heading of document.querySelectorAll("#log-list > [data-day]")) {
    const { day: own, plain } = heading.dataset;
    heading.firstElementChild.textContent = phrases[own]?.replace("%(day)s", plain) ?? plain;
  }
  showRest();
}

// What may be done with a message follows who works on the ticket: taken or handed over, its bubbles are drawn anew.
const works = () => "works" in (byId("ticket-head")?.dataset ?? {});
let worked = works();

// Above a page that begins with its day come the messages before it, of the same day.
function dropRepeatedDays() {
  const seen = new Set();
  for (const heading of document.querySelectorAll("#log-list > [data-day]")) {
    if (seen.has(heading.dataset.day)) heading.remove();
    seen.add(heading.dataset.day);
  }
}

document.addEventListener("htmx:after:swap", () => {
  dropRepeatedDays();
  turnDay();
  if (worked === works()) return;
  worked = works();
  if (byId("log-list")) showKnown();
});

// Who the customer is, what else they asked, which files there are.
const showRest = once(() => ofTicket(async (url, isStillOpen) => {
  const fresh = parsed(await part(`${url}panel/rest/`));
  if (!isStillOpen()) return;
  for (const shown of ["panel-customer", "panel-more"]) {
    // A number that has been asked for is not masked again before its reader's eyes.
    const isRevealed = shown === "panel-customer" && byId("phone") && !byId("phone").querySelector("button");
    if (!isRevealed) await morph(byId(shown), fresh.getElementById(shown).outerHTML);
  }
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

// A word about it may be older than its going: only what the server still shows is back.
const askWhetherBack = once(() => ofTicket(async (url, isStillOpen) => {
  await part(`${url}head/?v=0`);
  if (!isStillOpen()) return;
  delete sheet().dataset.gone;
  byId("guard").replaceChildren();
  catchUp();
}));

function showJump() {
  const jump = byId("jump");
  if (!jump) return;
  jump.hidden = unread === 0;
  if (unread) jump.querySelector("span").textContent = counted("messages", unread);
}

// A link to a photo of a series opens the series, and then the rest of it where the photo is among that.
document.addEventListener("htmx:after:swap", ({ detail }) => {
  const goal = location.hash.length > 1 && byId(location.hash.slice(1));
  const target = detail.ctx?.target;
  if (!goal || !(target instanceof Element) || !target.contains(goal) || !target.closest(".series")) return;
  const fold = goal.closest("details:not([open])");
  if (fold) fold.open = true;
  else goal.scrollIntoView({ block: "center" });
});

document.addEventListener("click", (event) => {
  if (event.target.closest("#jump")) byId("log").scrollTo({ top: 0, behavior: "instant" });
});
document.addEventListener("scroll", (event) => {
  if (event.target.id !== "log" || !unread || !isAtBottom()) return;
  unread = 0;
  showJump();
}, true);

// A change of the open ticket, as the stream tells it.
export function hear({ kind, message }) {
  if (kind === "gone") {
    showGone();
    return;
  }
  if ("gone" in sheet().dataset) {
    askWhetherBack();
    return;
  }
  if (kind === "peer") {
    showPeer();
  } else if (kind === "message-state") {
    showMessage(message);
    showParts();
    // A customer's message has been changed, of which history tells too, or its file has come.
    if (!byId(`m${message}`)?.closest(".out")) {
      showNews();
      showRest();
    }
  } else if (kind !== "read") {
    if (message) heard.push(message);
    showNews();
    showParts();
    showRest();
    showPeer();
  }
}

// Whatever happens to a ticket moves its version on: where that stands still, nothing was missed.
export async function catchUp() {
  const version = byId("ticket-head")?.dataset.version;
  await showParts();
  if ("gone" in (sheet()?.dataset ?? {})) return;
  if (!isBehind && byId("ticket-head")?.dataset.version === version) return;
  await showNews();
  await showKnown();
  await showRest();
}

// Another ticket has been opened.
document.body.addEventListener("desk:ticket", () => {
  unread = 0;
  heard = [];
  isBehind = false;
  worked = works();
  day = today();
  askToFoldAt = SERIES;
  catchUp(); // since its page was made
});
