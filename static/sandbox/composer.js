// What the customer writes and sends: text, files, a voice, a quote, an edit, a command.

import {$, fill, h, icon, post, toast, words} from "./dom.js";
import {isOwn, summary} from "./bubbles.js";
import * as topics from "./topics.js";

const MAX_ALBUM = 10;
const MAX_SENT = 50 * 1024 * 1024; // bigger ones go by name and size: no bot could fetch them anyway
const SAMPLES = "/static/sandbox/samples/";

let chat = null;
let editing = null;
let replying = null;
let quoted = "";
let chosen = [];
let chosenKind = "document";
let recorder = null;

const text = () => $("text");
const path = (act) => `/sandbox/chats/${chat.id}/${act}`;
const deliver = (content) => post(path("send"), {...topics.place(), ...content});

// Context above the field: the message answered or changed.

function showContext(title, line) {
  $("context").hidden = !title;
  $("context-title").textContent = title ?? "";
  $("context-text").textContent = line ?? "";
}

function dropContext() {
  if (editing) text().value = "";
  editing = replying = null;
  quoted = "";
  showContext(null);
}

export function reply(message, quotedText) {
  dropContext();
  replying = message;
  quoted = quotedText;
  showContext(fill(words.replyTo, {name: message.from.first_name}), quotedText || summary(message));
  text().focus();
}

export function edit(message) {
  dropContext();
  editing = message;
  text().value = message.text ?? message.caption ?? "";
  showContext(words.editing, summary(message));
  text().focus();
}

export function lastOwn(messages) {
  return messages.filter((message) => isOwn(message) && message.text !== undefined && !message.deleted).at(-1);
}

// Files.

function showChosen() {
  $("chosen").hidden = chosen.length === 0;
  $("chosen").replaceChildren(...chosen.map((file, index) => h("li", {class: "chip"},
    icon(file.type.startsWith("image/") ? "image" : "file"), h("span", {class: "nm"}, file.name),
    h("button", {class: "icon-btn", type: "button", "aria-label": fill(words.remove, {name: file.name}), onclick: () => {
      chosen.splice(index, 1);
      showChosen();
      text().focus();
    }}, icon("x")))));
}

function choose(files, kind) {
  if (files.length > MAX_ALBUM) toast(words.tooMany);
  chosen = files.slice(0, MAX_ALBUM);
  chosenKind = kind;
  showChosen();
  text().focus();
}

// Duration and size, as the app measures them before it sends.
function measure(file) {
  const family = file.type.split("/")[0];
  if (family !== "video" && family !== "audio") return Promise.resolve({});
  return new Promise((resolve) => {
    const media = document.createElement(family);
    const done = (facts) => {
      URL.revokeObjectURL(media.src);
      resolve(facts);
    };
    media.addEventListener("loadedmetadata", () => done({
      duration: Number.isFinite(media.duration) ? Math.round(media.duration) : 0, width: media.videoWidth, height: media.videoHeight,
    }));
    media.addEventListener("error", () => done({}));
    media.src = URL.createObjectURL(file);
  });
}

async function sendFiles(files, kind, caption, facts) {
  const huge = files.find((file) => file.size > MAX_SENT);
  if (huge) {
    const sentKind = kind === "photo" && huge.type.startsWith("video/") ? "video" : "document";
    await deliver({kind: sentKind, text: caption, imagined_file: {file_name: huge.name, file_size: huge.size, mime_type: huge.type}});
    return;
  }
  const form = new FormData();
  form.set("kind", kind);
  form.set("text", caption);
  if (replying) form.set("reply_to", replying.message_id);
  for (const [name, value] of Object.entries(topics.place())) form.set(name, value);
  const measured = facts ?? (files.length === 1 ? await measure(files[0]) : {});
  for (const [name, value] of Object.entries(measured)) form.set(name, value);
  files.forEach((file, index) => form.append(`file${index}`, file, file.name));
  await post(path("send"), form);
}

async function sample(name, type, shownAs = name) {
  const response = await fetch(SAMPLES + name);
  return new File([await response.blob()], shownAs, {type});
}

const SAMPLE_SENDS = {
  photo: async () => sendFiles([await sample("box.jpg", "image/jpeg")], "photo", ""),
  album: async () => sendFiles(await Promise.all(["box", "crack", "label", "screen"].map((name) => sample(`${name}.jpg`, "image/jpeg"))), "photo", ""),
  voice: async () => sendFiles([await sample("voice.ogg", "audio/ogg")], "voice", "", {duration: 6}),
  document: async () => sendFiles([await sample("receipt.pdf", "application/pdf", words.files.receipt)], "document", ""),
  huge: () => deliver({kind: "video", imagined_file: {file_name: words.files.film, file_size: 61 * 1024 * 1024, mime_type: "video/mp4"}}),
};

// Voice: recorded where a microphone is at hand, else taken from a file.

function pick(kind, accept) {
  $("file").accept = accept;
  $("file").dataset.kind = kind;
  $("file").click();
}

function recordingType() {
  return ["audio/ogg;codecs=opus", "audio/mp4", "audio/webm;codecs=opus"].find((type) => MediaRecorder.isTypeSupported(type));
}

async function record() {
  if (recorder) {
    recorder.stop();
    return;
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({audio: true});
  } catch {
    pick("voice", "audio/*");
    return;
  }
  const began = Date.now();
  const parts = [];
  const type = recordingType();
  recorder = new MediaRecorder(stream, {mimeType: type});
  recorder.addEventListener("dataavailable", ({data}) => parts.push(data));
  recorder.addEventListener("stop", async () => {
    stream.getTracks().forEach((track) => track.stop());
    recorder = null;
    $("mic").setAttribute("aria-pressed", "false");
    const bare = type.split(";")[0];
    const file = new File(parts, `voice.${bare.split("/")[1]}`, {type: bare});
    await sendFiles([file], "voice", "", {duration: Math.round((Date.now() - began) / 1000)});
  });
  recorder.start();
  $("mic").setAttribute("aria-pressed", "true");
  toast(words.recording);
}

// Sending.

async function send() {
  const typed = text().value;
  if (editing) {
    if (!typed.trim()) return;
    await post(path("edit"), {message_id: editing.message_id, text: typed});
  } else if (chosen.length > 0) {
    const files = chosen;
    await sendFiles(files, chosenKind, typed);
    chosen = [];
    showChosen();
  } else if (typed.trim()) {
    await deliver({text: typed, ...(replying ? {reply_to: replying.message_id, quote: quoted} : {})});
  } else {
    return;
  }
  if (text().value === typed) text().value = "";
  dropContext();
  showCommands();
}

export const say = (typed) => deliver({text: typed});

// Commands.

function showCommands() {
  const typed = text().value;
  const matching = typed.startsWith("/") && !typed.includes(" ")
    ? (chat?.commands ?? []).filter((command) => command.command.startsWith(typed.slice(1))) : [];
  $("commands").hidden = matching.length === 0;
  $("commands").replaceChildren(...matching.map((command) => h("button", {type: "button", role: "option", onclick: async () => {
    await say(`/${command.command}`);
    text().value = "";
    showCommands();
    text().focus();
  }}, h("span", {class: "code"}, `/${command.command}`), h("span", {class: "nm"}, command.description))));
}

// The reply keyboard.

let keyboardShown = true;

export function showKeyboard() {
  const keyboard = chat?.blocked ? null : chat?.keyboard;
  $("kb-toggle").hidden = !keyboard;
  $("kb-toggle").setAttribute("aria-pressed", String(keyboardShown));
  $("kb").hidden = !keyboard || !keyboardShown;
  $("kb").replaceChildren(...(keyboard?.keyboard ?? []).map((row) => h("div", {class: "keys"}, ...row.map((button) => h("button",
    {type: "button", onclick: async () => {
      await post(path("press"), {button: button.text});
      if (keyboard.one_time_keyboard) {
        keyboardShown = false;
        showKeyboard();
      }
    }}, button.request_contact ? icon("phone") : null, button.text)))));
}

export function newKeyboard() {
  keyboardShown = true;
  showKeyboard();
}

export function show(current) {
  if (chat?.id !== current.id) {
    if (chat) sessionStorage.setItem(`draft-${chat.id}`, editing ? "" : text().value);
    dropContext();
    chosen = [];
    showChosen();
    text().value = sessionStorage.getItem(`draft-${current.id}`) ?? "";
  }
  chat = current;
  $("say").hidden = chat.blocked;
  $("resume").hidden = !chat.blocked;
  showKeyboard();
  showCommands();
}

export function start({messages}) {
  $("say").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  text().addEventListener("input", showCommands);
  text().addEventListener("keydown", (event) => {
    const touch = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !touch) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape") {
      dropContext();
    } else if (event.key === "ArrowUp" && text().value === "" && lastOwn(messages())) {
      event.preventDefault();
      edit(lastOwn(messages()));
    }
  });
  $("context-drop").addEventListener("click", dropContext);
  $("mic").addEventListener("click", record);
  $("kb-toggle").addEventListener("click", () => {
    keyboardShown = !keyboardShown;
    showKeyboard();
  });
  $("resume").addEventListener("click", async () => {
    await post(path("unblock"));
    await say("/start");
  });
  $("file").addEventListener("change", ({target}) => {
    const files = [...target.files];
    target.value = "";
    if (target.dataset.kind === "voice") sendFiles(files.slice(0, 1), "voice", "");
    else choose(files, target.dataset.kind);
  });
  $("attach").addEventListener("click", ({target}) => {
    const item = target.closest("[role=menuitem]");
    if (!item) return;
    $("attach").hidePopover();
    if (item.dataset.pick) pick(item.dataset.pick, item.dataset.pick === "photo" ? "image/*,video/*" : "");
    else if (item.dataset.sample) SAMPLE_SENDS[item.dataset.sample]();
    else deliver({kind: item.dataset.other});
  });
}
