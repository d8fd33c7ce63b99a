// The field a manager writes in. Nothing typed or attached here is ever lost: what goes wrong leaves it as it is.

import { now, setBy } from "./clock.js";
import { hasEdits } from "./editing.js";
import { element, icon } from "./elements.js";
import { look, meaning } from "./formatting.js";
import { keptElsewhere, markLost, showLost } from "./lost.js";

const words = document.getElementById("words").dataset;
const MAX_FILES = 10;
const MAX_PHOTO = 10 * 1024 * 1024;
const MAX_PHOTO_SIDES = 10000; // Bot API, sendPhoto: width and height together; their ratio
const MAX_PHOTO_RATIO = 20;
const MAX_TEXT = 4096; // UTF-16 code units, as a string's length
const MAX_REPLY = 20000; // longer than a message, it leaves in pieces
const PIECE = 3900;
const MAX_CAPTION = 1024;
const WARN_WITHIN = 200;
const DRAFT_PAUSE = 800; // ms
const DRAFT_AGAIN = 5_000; // ms
const LEFT_BEHIND = 60_000; // ms: no other page is about to save it
const TYPING_AGAIN = 5_000; // ms: as long as Telegram shows it (Bot API, sendChatAction)

// Files cannot be kept by a page or a server before they are sent: they wait here while one looks at other tickets.
const waiting = new Map();

const form = () => document.getElementById("reply");
const field = () => document.getElementById("reply-text");
const ticketId = () => document.querySelector(".ticket")?.dataset.ticket;
const draftKey = () => `draft ${document.body.dataset.user} ${ticketId()}`;
const files = () => waiting.get(ticketId()) ?? [];
const isNote = () => form().elements.kind.value === "note";
const quoteId = () => form().querySelector("[name=quote]")?.value ?? "";
const headers = () => JSON.parse(document.body.getAttribute("hx-headers:inherited"));

// ---- who reads it

function showMode() {
  const mode = isNote() ? "note" : "reply";
  field().placeholder = field().dataset[`${mode}Placeholder`];
  field().setAttribute("aria-label", field().dataset[`${mode}Label`]);
}

function setMode(note) {
  for (const radio of form().elements.kind) radio.checked = radio.value === (note ? "note" : "reply");
  showMode();
  look(field());
  keepDraft();
}

// ---- files

function trouble(file, index) {
  if (index >= MAX_FILES) return words.tooMany;
  if (file.size > words.maxMb * 1024 * 1024) return words.tooBig;
  if (file.size === 0) return words.emptyFile;
  return "";
}

// Pictures whose sides no photo may have, as far as they have been looked at.
const tooLarge = new WeakMap();

// Why a picture goes as a file, where it does. The rule is the server's (tickets/files.py, kind_for).
function asFile(file) {
  if (!["image/jpeg", "image/png", "image/webp"].includes(file.type)) return "";
  if (file.size > MAX_PHOTO) return words.asDocument;
  if (!tooLarge.has(file)) measure(file);
  return tooLarge.get(file) ? words.tooLarge : "";
}

function measure(file) {
  tooLarge.set(file, false);
  const picture = new Image();
  picture.addEventListener("error", () => URL.revokeObjectURL(picture.src));
  picture.addEventListener("load", () => {
    URL.revokeObjectURL(picture.src);
    const sides = [picture.naturalWidth, picture.naturalHeight];
    tooLarge.set(file, sides[0] + sides[1] > MAX_PHOTO_SIDES || Math.max(...sides) > MAX_PHOTO_RATIO * Math.min(...sides));
    if (tooLarge.get(file) && form()) showFiles();
  });
  picture.src = URL.createObjectURL(file);
}

function size(bytes) {
  const mega = 1024 * 1024;
  if (bytes < mega) return words.kilobytes.replace("%(size)s", Math.max(1, Math.round(bytes / 1024)));
  const number = (bytes / mega).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
  return words.megabytes.replace("%(size)s", number);
}

function setFiles(list) {
  waiting.set(ticketId(), list);
  showFiles();
  count();
}

function addFiles(list) {
  if (list.length) setFiles([...files(), ...list]);
}

function showFiles() {
  const input = form().elements.files;
  const transfer = new DataTransfer();
  const chips = files().map((file, index) => {
    const why = trouble(file, index);
    if (!why) transfer.items.add(file);
    const name = element("span", "nm", file.name);
    const about = element("span", "sz num", why || [size(file.size), asFile(file)].filter(Boolean).join(" · "));
    const remove = element("button", "icon-btn", icon("i-x"));
    remove.type = "button";
    remove.setAttribute("aria-label", `${words.removeFile} ${file.name}`);
    remove.addEventListener("click", () => {
      setFiles(files().filter((other) => other !== file));
      field().focus();
    });
    return element("span", why ? "chip bad" : "chip", icon(why ? "i-alert" : "i-file"), name, about, remove);
  });
  input.files = transfer.files;
  document.getElementById("attached").replaceChildren(...chips);
}

document.addEventListener("change", (event) => {
  if (event.target.closest("#reply") && event.target.name === "files") addFiles([...event.target.files]);
  if (event.target.closest("#reply") && event.target.name === "kind") {
    showMode();
    keepDraft();
  }
});

document.addEventListener("paste", (event) => {
  if (!event.target.closest?.("#reply") || !event.clipboardData.files.length) return;
  event.preventDefault();
  addFiles([...event.clipboardData.files]);
});

let dragging = 0;

function showDrop(shown) {
  const zone = document.getElementById("drop");
  if (zone) zone.hidden = !shown;
}

const hasFiles = (event) => form() && event.dataTransfer?.types.includes("Files");

document.addEventListener("dragenter", (event) => {
  if (!hasFiles(event)) return;
  dragging += 1;
  showDrop(true);
});
document.addEventListener("dragleave", (event) => {
  if (!hasFiles(event)) return;
  dragging = Math.max(0, dragging - 1);
  if (!dragging) showDrop(false);
});
document.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault(); // dropped beside the zone, the browser would leave the page for the file
  dragging = 0;
  showDrop(false);
  if (event.target.closest(".thread")) addFiles([...event.dataTransfer.files]);
});

// ---- length

// In how many messages a reply leaves: the rule is the server's (tickets/text.py, pieces_of).
function pieces(text) {
  if (text.length <= MAX_TEXT) return 1;
  let number = 0;
  while (text.length > PIECE) {
    const whole = /[\uD800-\uDBFF]/.test(text[PIECE - 1]) ? PIECE - 1 : PIECE;
    const head = text.slice(0, whole);
    const cut = ["\n\n", "\n", " "].map((end) => head.lastIndexOf(end)).find((end) => end > PIECE / 2) ?? whole;
    number += 1;
    text = text.slice(cut).trimStart();
  }
  return text ? number + 1 : number;
}

// Marks do not count: what is left of them is known once the server has said what they mean.
function count() {
  const text = field().value.trim();
  const meant = meaning(field());
  const limit = files().length ? MAX_CAPTION : MAX_REPLY;
  const left = limit - (meant?.length ?? text.length);
  const counter = document.getElementById("counter");
  const parts = isNote() || files().length ? 1 : meant?.pieces ?? pieces(text);
  const words = left <= WARN_WITHIN ? String(left) : "";
  counter.textContent = parts > 1 && !words ? counter.dataset.pieces.replace("{n}", parts) : words;
  counter.toggleAttribute("data-over", left < 0);
}

// ---- draft: on the server, and in the browser until the server has it

let unsaved = false;
// By ticket: a draft is saved, a reply is sent while its writer looks at another one already.
const timers = new Map();
// This page's own, kept a little longer than the server takes: a ticket may be opened again, as it was before its draft
// was saved.
const drafts = new Map();
const sending = new Map();

// By the server's clock: a copy of one browser's is compared with what came to the server from another.
const written = () => ({ text: field().value, note: isNote(), quote: quoteId(), at: now() });

function keepDraft() {
  keep(draftKey(), form().dataset.draftUrl, written());
}

function keep(key, address, draft) {
  drafts.set(key, draft);
  unsaved = true;
  try {
    if (draft.text || draft.quote) localStorage.setItem(key, JSON.stringify(draft));
    else localStorage.removeItem(key);
    unsaved = false;
  } catch {
    // Storage is full or forbidden: the server alone keeps it.
  }
  saveLater(key, address, draft, DRAFT_PAUSE);
}

function saveLater(key, address, draft, pause) {
  clearTimeout(timers.get(key));
  timers.set(key, setTimeout(() => saveDraft(key, address, draft), pause));
}

// What is being sent is no draft any more: saved now, it would come back after it was sent.
function dropDraft(key) {
  clearTimeout(timers.get(key));
  drafts.delete(key);
  localStorage.removeItem(key);
  unsaved = false;
}

async function saveDraft(key, address, draft) {
  const body = new URLSearchParams({ text: draft.text, quote: draft.quote, at: new Date(draft.at ?? 0).toISOString() });
  if (draft.note) body.set("is_note", "on");
  const answer = await fetch(address, { method: "POST", body, headers: headers(), keepalive: true }).catch(() => null);
  const here = key === draftKey();
  // A redirect means that the session is over: what answered is the login page.
  if (answer?.ok && !answer.redirected) {
    if (localStorage.getItem(key) === JSON.stringify(draft)) localStorage.removeItem(key);
    showLost();
    unsaved = false;
    setTimeout(() => { if (drafts.get(key) === draft) drafts.delete(key); }, DRAFT_AGAIN);
    if (here) tell(draft.text.trim() ? words.saved : "");
    return;
  }
  if (answer?.status === 409) {
    giveWay(key, draft, await answer.json());
    return;
  }
  if (here) tell(unsaved ? words.notSaved : draft.text.trim() ? words.savedHere : "");
  if (answer?.status === 404) markLost(key, draft);
  else if (drafts.get(key) === draft) saveLater(key, address, draft, DRAFT_AGAIN);
}

// Newer words have come to the server from elsewhere, or were sent from there: those stand in the field from now on.
function giveWay(key, old, newer) {
  setBy(newer.now);
  if (drafts.get(key) !== old) return; // typed further meanwhile
  try {
    if (old.text.trim() && !localStorage.getItem(key)) localStorage.setItem(key, JSON.stringify(old));
    unsaved = false;
  } catch {
    // Storage is full or forbidden: this page alone keeps it.
  }
  if (key !== draftKey()) return;
  form().dataset.writtenAt = newer.at;
  putIn(newer);
  tell(newer.text.trim() ? words.saved : "");
  tellOfOld(key, old);
  showMode();
  look(field());
  count();
}

function putIn({ text, note, quote: quoted }) {
  field().value = text;
  for (const radio of form().elements.kind) radio.checked = radio.value === (note ? "note" : "reply");
  if (quoted !== quoteId()) showQuote(quoted);
}

function tell(text) {
  const saved = document.getElementById("saved");
  if (saved) saved.textContent = text;
}

// A copy of this browser's is there only while the server has not got it.
function bringBack() {
  const key = draftKey();
  setBy(form().dataset.now);
  const copy = keptHere(key) ?? drafts.get(key);
  const isOld = copy && isOutdated(copy);
  const draft = isOld ? undefined : copy;
  const kept = draft ?? sending.get(key);
  if (isOld) tellOfOld(key, copy);
  if (!kept) return;
  putIn(kept);
  if (draft) saveLater(key, form().dataset.draftUrl, draft, DRAFT_PAUSE);
}

// Once its ticket is open, it is lost no more.
function keptHere(key) {
  const { lost, ...copy } = JSON.parse(localStorage.getItem(key) ?? "{}");
  if (lost) localStorage.setItem(key, JSON.stringify(copy));
  return "text" in copy ? copy : undefined;
}

// What a page that was closed or cut off has left for other tickets. The server has it from now on, or says why not.
function saveLeftBehind() {
  for (const [ticket, key, draft] of keptElsewhere()) {
    if (!draft.lost && now() - (draft.at ?? 0) > LEFT_BEHIND) saveDraft(key, `${words.ticket.replace("/0/", `/${ticket}/`)}draft/`, draft);
  }
}

// Written further or sent elsewhere since. An earlier save of these very words may have come to the server after them.
const isOutdated = ({ at = 0 }) => at + DRAFT_AGAIN < Date.parse(form().dataset.writtenAt);

// What the newer words have in them is gone for good; anything else is offered until something is typed over it.
function tellOfOld(key, old) {
  const own = [...document.querySelectorAll("#log-list > .msg.out, #log-list > .note")].map(wordsOf);
  if ([field().value, ...own].some((words) => unspaced(words).includes(unspaced(old.text)))) forgetOld(key, old);
  else offerOld(key, old);
}

function forgetOld(key, old) {
  const copy = JSON.stringify(old);
  if (localStorage.getItem(key) === copy) localStorage.removeItem(key);
  if (JSON.stringify(drafts.get(key)) === copy) drafts.delete(key);
}

let offered; // until it is added, typed over, or seen to have been sent

function offerOld(key, old) {
  const add = element("button", "btn sm", words.addOld);
  add.type = "button";
  const strip = element("div", "strip warn", element("p", "", icon("i-alert"), element("span", "", words.oldWords)), element("span", "acts", add));
  add.addEventListener("click", () => {
    strip.remove();
    field().value = [field().value, old.text].filter(Boolean).join("\n\n");
    field().focus();
    field().dispatchEvent(new Event("input", { bubbles: true }));
  });
  document.getElementById("guard").replaceChildren(strip);
  offered = { key, old, strip };
}

function withdrawSent(line) {
  if (!offered?.strip.isConnected || !line.matches(".msg.out, .note")) return;
  if (!unspaced(wordsOf(line)).includes(unspaced(offered.old.text))) return;
  offered.strip.remove();
  forgetOld(offered.key, offered.old);
}

document.addEventListener("desk:meant", (event) => { if (event.target === field()) count(); });

addEventListener("beforeunload", (event) => {
  if (unsaved || sending.size || files().length || hasEdits()) event.preventDefault();
});

document.addEventListener("input", (event) => {
  if (event.target !== field()) return;
  count();
  keepDraft();
  showTyping();
});

// ---- typing: the customer sees that an answer is being written, and nothing of it

let typed = { address: "", at: 0 };

function showTyping() {
  const address = form().dataset.typingUrl;
  const isSaidAlready = typed.address === address && Date.now() - typed.at < TYPING_AGAIN;
  if (!address || isNote() || !field().value.trim() || isSaidAlready) return;
  typed = { address, at: Date.now() };
  fetch(address, { method: "POST", headers: headers() }).catch(() => null); // of no worth later
}

// ---- quoting

function showQuote(message) {
  const bubble = document.getElementById(`m${message}`)?.closest(".msg");
  const text = (bubble && wordsOf(bubble)) || bubble?.querySelector(".fn b, .kind")?.textContent || "";
  const id = element("input");
  id.type = "hidden";
  id.name = "quote";
  id.value = message;
  const remove = element("button", "icon-btn", icon("i-x"));
  remove.type = "button";
  remove.dataset.unquote = "";
  remove.setAttribute("aria-label", words.unquote);
  const shown = element("span", "quote", element("b", "", words.quoting), element("span", "", text));
  const quoted = message ? [element("div", "quoting", id, shown, remove)] : [];
  document.getElementById("quoting").replaceChildren(...quoted);
}

function quote(link) {
  showQuote(link.dataset.quote);
  setMode(false);
  field().focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-quote]");
  const unquote = event.target.closest("[data-unquote]");
  if (!form() || !(link || unquote)) return;
  event.preventDefault();
  if (link) {
    quote(link);
    return;
  }
  showQuote("");
  keepDraft();
  field().focus();
});

// ---- sending

document.addEventListener("keydown", (event) => {
  if (event.target !== field()) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form().requestSubmit(form().querySelector(".split [type=submit]"));
  } else if (event.code === "KeyN" && event.altKey && !event.ctrlKey) {
    event.preventDefault();
    setMode(!isNote());
  } else if (event.key === "ArrowUp" && !field().value && !event.altKey && !event.shiftKey) {
    editLast(event);
  } else if (event.key === "Escape") {
    field().blur();
  }
});

// One's own last reply, as long as it has not left for Telegram.
function editLast(event) {
  const last = [...document.querySelectorAll("#log-list > .msg.out:not(:has(.by))")].at(-1);
  const link = last?.querySelector("a[hx-get$='?edit']");
  if (!link) return;
  event.preventDefault();
  link.click();
}

// What cannot go stays, and so does all the rest, until its writer has decided.
document.addEventListener("submit", (event) => {
  if (event.target !== form() || !files().some(trouble)) return;
  event.preventDefault();
  event.stopPropagation();
  document.body.dispatchEvent(new CustomEvent("desk:say", { detail: words.badFiles }));
}, true);

const sent = new WeakMap();

document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  if (!form() || (ctx.sourceElement !== form() && ctx.sourceElement.form !== form())) return;
  const key = draftKey();
  if (sending.has(key)) {
    event.preventDefault();
    return;
  }
  const draft = written();
  sent.set(ctx, { key, draft, ticket: ticketId(), address: form().dataset.draftUrl, files: files() });
  sending.set(key, draft);
  dropDraft(key);
  form().setAttribute("aria-busy", "true");
  tell(words.sending);
});

// Not every answer is shown: its ticket may have been left.
document.addEventListener("htmx:finally:request", (event) => {
  const { ctx } = event.detail;
  const what = sent.get(ctx);
  if (!what) return;
  sending.delete(what.key);
  const here = what.key === draftKey();
  if (here) {
    form().removeAttribute("aria-busy");
    tell("");
  }
  const refused = !ctx.response || ctx.response.status >= 400;
  if (refused && !drafts.has(what.key)) keep(what.key, what.address, what.draft);
  if (refused) return;
  leave(what);
  if (here) clear(what.draft);
});

// A draft that was on its way to the server when the reply left may come there after it.
function leave({ key, address, ticket, files: gone }) {
  if (waiting.get(ticket) === gone) waiting.delete(ticket);
  if (!drafts.has(key)) saveLater(key, address, { text: "", note: false, quote: "", at: now() }, DRAFT_PAUSE);
}

function clear(gone) {
  clearWords(gone);
  showFiles();
  document.querySelector(".log").scrollTop = 0;
  field().focus();
}

// Whatever has been typed since stays.
function clearWords({ text, quote: quoted }) {
  if (field().value === text) field().value = "";
  if (quoteId() === quoted) showQuote("");
  keepDraft();
  look(field());
  count();
}

// ---- sent from another tab: the same words must not go a second time

let newest = 0;

const lastMessage = () => Math.max(0, ...[...document.querySelectorAll("#log-list [data-message]")].map((line) => Number(line.dataset.message)));

function wordsOf(line) {
  const copy = line.querySelector(".words")?.cloneNode(true);
  copy?.querySelector(".meta")?.remove();
  return copy?.textContent.trim() ?? "";
}

// Where a long text is cut, a preview of its pieces has no space.
const unspaced = (text) => text.replace(/\s+/g, "");

const ownName = document.querySelector("#profile .who b").textContent;

// Every note names its author, a reply only where it is a colleague's.
const isOwn = (line) => (isNote()
  ? line.querySelector(":scope.note > header b")?.textContent === ownName
  : line.matches(".msg.out") && !line.querySelector(".by"));

function watchOwn() {
  newest = lastMessage();
  new MutationObserver((changes) => {
    const added = changes.flatMap((change) => [...change.addedNodes]).filter((line) => Number(line.dataset?.message) > newest);
    newest = lastMessage();
    added.forEach(withdrawSent);
    const text = field() && unspaced(meaning(field())?.text ?? field().value);
    if (!text || sending.has(draftKey()) || !added.some((line) => isOwn(line) && unspaced(wordsOf(line)) === text)) return;
    clearWords(written());
  }).observe(document.getElementById("log-list"), { childList: true });
}

// ---- each ticket's own field

function open() {
  if (!form()) return;
  bringBack();
  showFiles();
  showMode();
  look(field());
  count();
  watchOwn();
}

document.body.addEventListener("desk:ticket", open);
open();
saveLeftBehind();
