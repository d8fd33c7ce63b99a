// Formatting in the fields one writes in: buttons and keys that put marks around words, and how it will look.
//
// What marks mean the server alone knows (tickets/marks.py); here it is only asked.

const words = document.getElementById("words").dataset;
const PAUSE = 250; // ms
const WORD = /[\p{L}\p{N}_]/u;
const MAX_TEXT = 4096; // beyond it a reply leaves in pieces, which are shown
// Without any of these a text means itself.
const PERHAPS = /[*_~|]{2}|`|\]\(|^\\*>/m;
const QUOTED = /^> |^>$/;

const KEYS = { KeyB: "**", KeyI: "__", KeyK: "link" };
const KEYS_WITH_SHIFT = { KeyX: "~~" };

const isField = (element) => element?.matches?.("textarea[data-preview]");
const headers = () => JSON.parse(document.body.getAttribute("hx-headers:inherited"));

// ---- marks

// The only way to put text into a field that its own undo takes back.
function put(field, from, to, text, selectFrom, selectTo) {
  field.focus();
  field.setSelectionRange(from, to);
  if (!document.execCommand("insertText", false, text)) {
    field.setRangeText(text, from, to, "end");
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
  field.setSelectionRange(selectFrom, selectTo);
}

// A mark inside a word means nothing: the selection takes in the words it touches.
function wholeWords(text, from, to) {
  const inWord = (at) => at > 0 && at < text.length && WORD.test(text[at - 1]) && WORD.test(text[at]);
  while (inWord(from)) from -= 1;
  while (inWord(to)) to += 1;
  while (from < to && /\s/.test(text[from])) from += 1;
  while (from < to && /\s/.test(text[to - 1])) to -= 1;
  return [from, to];
}

function wrap(field, mark) {
  const text = field.value;
  const [from, to] = wholeWords(text, field.selectionStart, field.selectionEnd);
  const chosen = text.slice(from, to);
  const size = mark.length;
  if (text.slice(from - size, from) === mark && text.slice(to, to + size) === mark) {
    put(field, from - size, to + size, chosen, from - size, to - size);
  } else if (chosen.length > 2 * size && chosen.startsWith(mark) && chosen.endsWith(mark)) {
    put(field, from, to, chosen.slice(size, -size), from, to - 2 * size);
  } else {
    // A mark is closed in the line it was opened in.
    const marked = chosen.split("\n").map((line) => (line.trim() || !chosen ? line.replace(/\S.*\S|\S|^$/, `${mark}$&${mark}`) : line)).join("\n");
    const end = from + marked.length - size;
    put(field, from, to, marked, from + size, Math.max(from + size, end));
  }
}

function wrapCode(field) {
  const [from, to] = [field.selectionStart, field.selectionEnd];
  const chosen = field.value.slice(from, to);
  if (!chosen.includes("\n")) wrap(field, "`");
  else put(field, from, to, `\`\`\`\n${chosen}\n\`\`\``, from + 4, from + 4 + chosen.length);
}

function link(field) {
  const [from, to] = wholeWords(field.value, field.selectionStart, field.selectionEnd);
  const chosen = field.value.slice(from, to);
  const isAddress = /^(https?|tg):\/\/\S+$/i.test(chosen);
  const named = isAddress ? `[](${chosen})` : `[${chosen}](https://)`;
  const at = isAddress || !chosen ? from + 1 : from + named.length - 1;
  put(field, from, to, named, at, at);
}

function quote(field) {
  const text = field.value;
  const from = text.lastIndexOf("\n", field.selectionStart - 1) + 1;
  const after = text.indexOf("\n", field.selectionEnd);
  const to = after < 0 ? text.length : after;
  const lines = text.slice(from, to).split("\n");
  const isQuoted = lines.every((line) => QUOTED.test(line) || !line) && lines.some(Boolean);
  const made = lines.map((line) => (isQuoted ? line.replace(/^> ?/, "") : `> ${line}`.replace(/^> $/, lines.length > 1 ? ">" : "> "))).join("\n");
  put(field, from, to, made, from + made.length, from + made.length);
}

const OTHERS = { code: wrapCode, link, quote };

function mark(field, name) {
  if (OTHERS[name]) OTHERS[name](field);
  else wrap(field, name);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-mark]");
  const more = event.target.closest("[data-formats]");
  if (button) mark(button.form.querySelector("textarea[data-preview]"), button.dataset.mark);
  if (more) more.setAttribute("aria-expanded", more.getAttribute("aria-expanded") !== "true");
});

// The selection is what a button is for: a press must not take it away.
document.addEventListener("mousedown", (event) => { if (event.target.closest("[data-mark], [data-formats]")) event.preventDefault(); });

document.addEventListener("keydown", (event) => {
  if (!isField(event.target) || !(event.ctrlKey || event.metaKey) || event.altKey || event.isComposing) return;
  const name = (event.shiftKey ? KEYS_WITH_SHIFT : KEYS)[event.code];
  if (!name) return;
  event.preventDefault();
  mark(event.target, name);
});

// ---- how it will look

// By field: the words asked about, and what they mean as far as the server has said.
const asked = new WeakMap();

const preview = (field) => field.form?.querySelector(".preview");
const kindOf = (field) => field.form.elements.kind?.value ?? "reply";

// What is typed, as the server reads it: {text, length, pieces}; null where it means itself or is not known yet.
export function meaning(field) {
  const known = asked.get(field);
  return known?.value === field.value ? known.meaning : null;
}

// To be called where a field gets its words without being typed in.
export function look(field) {
  const before = asked.get(field);
  const kind = kindOf(field);
  if (before?.value === field.value && before.kind === kind) return;
  clearTimeout(before?.timer);
  before?.stop.abort();
  const now = { value: field.value, kind, stop: new AbortController(), meaning: null };
  asked.set(field, now);
  if (PERHAPS.test(field.value) || field.value.length > MAX_TEXT) now.timer = setTimeout(() => ask(field, now), PAUSE);
  else show(field, "");
}

async function ask(field, now) {
  const body = new URLSearchParams({ text: now.value, kind: now.kind });
  const answer = await fetch(field.dataset.preview, { method: "POST", body, headers: headers(), signal: now.stop.signal }).catch(() => null);
  const isFragment = answer?.ok && !answer.redirected;
  const html = isFragment ? await answer.text() : "";
  if (asked.get(field) !== now) return;
  show(field, html, !isFragment);
  const shown = preview(field)?.querySelector("[data-length]");
  if (shown) now.meaning = { text: shown.textContent, length: Number(shown.dataset.length), pieces: Number(shown.dataset.pieces) };
  field.dispatchEvent(new CustomEvent("desk:meant", { bubbles: true }));
}

function show(field, html, isMissing = false) {
  const place = preview(field);
  if (!place) return;
  place.hidden = !html && !isMissing;
  const shown = place.querySelector(".bubble");
  if (isMissing) shown.textContent = words.noPreview;
  else shown.innerHTML = html; // the server's own, by the same renderer as every bubble
}

document.addEventListener("input", (event) => { if (isField(event.target)) look(event.target); });
// A field that has just come may hold marks already.
document.addEventListener("focusin", (event) => { if (isField(event.target)) look(event.target); });
document.addEventListener("change", (event) => {
  const field = event.target.name === "kind" && event.target.form?.querySelector("textarea[data-preview]");
  if (field) look(field);
});
