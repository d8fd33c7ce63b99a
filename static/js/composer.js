// The field a manager writes in. Nothing typed or attached here is ever lost: what goes wrong leaves it as it is.

const words = document.getElementById("words").dataset;
const MAX_FILES = 10;
const MAX_FILE = 50 * 1024 * 1024; // Bot API, "Sending files"
const MAX_PHOTO = 10 * 1024 * 1024;
const MAX_TEXT = 4096; // UTF-16 code units, as a string's length
const MAX_CAPTION = 1024;
const WARN_WITHIN = 200;
const DRAFT_PAUSE = 800; // ms
const DRAFT_AGAIN = 5_000; // ms

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

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${words.icons}#${name}`);
  svg.append(use);
  return svg;
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// ---- who reads it

function showMode() {
  const mode = isNote() ? "note" : "reply";
  field().placeholder = field().dataset[`${mode}Placeholder`];
  field().setAttribute("aria-label", field().dataset[`${mode}Label`]);
}

function setMode(note) {
  for (const radio of form().elements.kind) radio.checked = radio.value === (note ? "note" : "reply");
  showMode();
  keepDraft();
}

// ---- files

function trouble(file, index) {
  if (index >= MAX_FILES) return words.tooMany;
  if (file.size > MAX_FILE) return words.tooBig;
  if (file.size === 0) return words.emptyFile;
  return "";
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
    const note = !why && file.type.startsWith("image/") && file.size > MAX_PHOTO ? words.asDocument : "";
    const about = element("span", "sz num", why || [size(file.size), note].filter(Boolean).join(" · "));
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

function count() {
  const limit = files().length ? MAX_CAPTION : MAX_TEXT;
  const left = limit - field().value.trim().length;
  const counter = document.getElementById("counter");
  counter.textContent = left <= WARN_WITHIN ? String(left) : "";
  counter.toggleAttribute("data-over", left < 0);
}

// ---- draft: on the server, and in the browser until the server has it

let draftTimer;
let unsaved = false;
// This page's own: a ticket may be opened again while its draft is on the way to the server.
const drafts = new Map();

function keepDraft() {
  const draft = { text: field().value, note: isNote(), quote: quoteId() };
  drafts.set(draftKey(), draft);
  unsaved = true;
  try {
    if (draft.text || draft.quote) localStorage.setItem(draftKey(), JSON.stringify(draft));
    else localStorage.removeItem(draftKey());
    unsaved = false;
  } catch {
    // Storage is full or forbidden: the server alone keeps it.
  }
  clearTimeout(draftTimer);
  const address = form().dataset.draftUrl;
  const key = draftKey();
  draftTimer = setTimeout(() => saveDraft(address, key, draft), DRAFT_PAUSE);
}

async function saveDraft(address, key, draft) {
  const body = new URLSearchParams({ text: draft.text, quote: draft.quote });
  if (draft.note) body.set("is_note", "on");
  const answer = await fetch(address, { method: "POST", body, headers: headers(), keepalive: true }).catch(() => null);
  const here = key === draftKey();
  // A redirect means that the session is over: what answered is the login page.
  if (answer?.ok && !answer.redirected) {
    if (localStorage.getItem(key) === JSON.stringify(draft)) localStorage.removeItem(key);
    unsaved = false;
    if (here) tell(draft.text.trim() ? words.saved : "");
    return;
  }
  if (!here) return;
  tell(unsaved ? words.notSaved : words.savedHere);
  draftTimer = setTimeout(() => { if (key === draftKey()) keepDraft(); }, DRAFT_AGAIN);
}

function tell(text) {
  const saved = document.getElementById("saved");
  if (saved) saved.textContent = text;
}

function bringBack() {
  const kept = JSON.parse(localStorage.getItem(draftKey()) ?? "null") ?? drafts.get(draftKey());
  if (kept?.text && !field().value.trim()) {
    field().value = kept.text;
    for (const radio of form().elements.kind) radio.checked = radio.value === (kept.note ? "note" : "reply");
  }
}

addEventListener("beforeunload", (event) => {
  if (unsaved || files().length) event.preventDefault();
});

document.addEventListener("input", (event) => {
  if (event.target !== field()) return;
  count();
  keepDraft();
});

// ---- quoting

function quote(link) {
  const message = link.closest(".msg");
  const text = message.querySelector(".words")?.firstChild?.textContent || message.querySelector(".fn b, .kind")?.textContent || "";
  const id = element("input");
  id.type = "hidden";
  id.name = "quote";
  id.value = link.dataset.quote;
  const remove = element("button", "icon-btn", icon("i-x"));
  remove.type = "button";
  remove.dataset.unquote = "";
  remove.setAttribute("aria-label", words.unquote);
  const shown = element("span", "quote", element("b", "", words.quoting), element("span", "", text));
  document.getElementById("quoting").replaceChildren(element("div", "quoting", id, shown, remove));
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
  document.getElementById("quoting").replaceChildren();
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
  } else if (event.key === "Escape") {
    field().blur();
  }
});

const sent = new WeakMap();

document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  if (ctx.sourceElement !== form() && ctx.sourceElement.form !== form()) return;
  sent.set(ctx, { ticket: ticketId(), text: field().value, files: files() });
  form().setAttribute("aria-busy", "true");
  tell(words.sending);
});

document.addEventListener("htmx:after:swap", (event) => {
  const { ctx } = event.detail;
  const what = sent.get(ctx);
  if (!what || !ctx.response || ctx.response.status >= 400) return;
  if (waiting.get(what.ticket) === what.files) waiting.delete(what.ticket);
  if (what.ticket !== ticketId()) return;
  // Whatever has been typed since stays.
  if (field().value === what.text) field().value = "";
  document.getElementById("quoting").replaceChildren();
  clearTimeout(draftTimer);
  keepDraft();
  showFiles();
  count();
  document.querySelector(".log").scrollTop = 0;
  field().focus();
});

document.addEventListener("htmx:finally:request", (event) => {
  if (!sent.has(event.detail.ctx)) return;
  form()?.removeAttribute("aria-busy");
  tell("");
});

// ---- each ticket's own field

function open() {
  if (!form()) return;
  bringBack();
  showFiles();
  showMode();
  count();
}

document.body.addEventListener("desk:ticket", open);
open();
