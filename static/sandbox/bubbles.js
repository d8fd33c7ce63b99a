// One chat's messages as bubbles. A bubble is rebuilt only when what it shows has changed: a playing voice plays on.

import {$, day, duration, fileSize, fill, h, icon, svg, time, words} from "./dom.js";
import {rich} from "./entities.js";

const SHOWN = 300;
const REACTIONS = ["👍", "❤", "🔥", "🙏"];
const KINDS = ["photo", "video", "voice", "audio", "document", "sticker", "contact", "location", "poll"];
const fileUrl = (media) => `/sandbox/files/${encodeURIComponent(media.file_id)}`;

export const isOwn = (message) => !message.from.is_bot;

export function kindOf(message) {
  if (message.text !== undefined) return "text";
  const known = KINDS.find((kind) => message[kind]);
  const about = ["message_id", "from", "chat", "date", "edit_date", "deleted", "reaction", "customer_reaction", "reply_to_message", "message_thread_id", "is_topic_message"];
  return known ?? Object.keys(message).find((key) => !about.includes(key)) ?? "";
}

// One line for lists and quotes.
export function summary(message) {
  const text = message.text ?? message.caption;
  if (text) return text.replaceAll("\n", " ");
  const kind = kindOf(message);
  if (kind === "document") return message.document.file_name ?? words.kinds.document;
  if (kind === "voice") return `${words.kinds.voice}, ${duration(message.voice.duration)}`;
  if (kind.startsWith("forum_topic_")) return fill(words.kinds[kind], {name: message[kind].name});
  return words.kinds[kind] ?? fill(words.other, {kind});
}

function meta(message) {
  return h("span", {class: "meta"},
    message.edit_date ? h("span", {}, words.edited) : null,
    h("time", {datetime: new Date(message.date * 1000).toISOString()}, time(message.date)),
    isOwn(message) ? icon("tick") : null);
}

function textBlock(message) {
  const text = message.text ?? message.caption;
  if (!text) return null;
  return h("p", {}, ...rich(text, message.entities ?? message.caption_entities ?? []), meta(message));
}

function quote(message) {
  const replied = message.reply_to_message;
  // What only stands in a topic answers the message that opened it.
  if (!replied || replied.forum_topic_created) return null;
  const who = replied.from.is_bot ? replied.from.first_name : replied.from.first_name.trim() || words.nameless;
  return h("a", {class: "quote", href: `#m${replied.message_id}`, "data-jump": replied.message_id},
    h("b", {}, who), h("span", {}, message.quote?.text ?? summary(replied)));
}

// A wave of bars that is the same for the same file: decoration, drawn from its id.
function wave(id) {
  let seed = [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7);
  const bars = Array.from({length: 46}, (_, n) => {
    seed = (seed * 137 + 71) % 9973;
    const half = 1.5 + (seed % 100) / 12;
    return `M${2 + n * 4} ${(11 - half).toFixed(1)}v${(half * 2).toFixed(1)}`;
  });
  return svg("svg", {class: "wave", viewBox: "0 0 186 22", preserveAspectRatio: "none", "aria-hidden": "true"}, svg("path", {d: bars.join("")}));
}

function voice(message, media) {
  const sound = h("audio", {src: fileUrl(media), preload: "none"});
  const shown = h("span", {class: "num"}, duration(media.duration));
  const play = h("button", {class: "play", type: "button", "aria-label": `${words.listen}, ${duration(media.duration)}`, "aria-pressed": "false",
    onclick: () => (sound.paused ? sound.play() : sound.pause())}, icon("play"));
  sound.addEventListener("timeupdate", () => { shown.textContent = duration(sound.currentTime); });
  sound.addEventListener("ended", () => { shown.textContent = duration(media.duration); });
  for (const [event, pressed] of [["play", "true"], ["pause", "false"]]) {
    sound.addEventListener(event, () => play.setAttribute("aria-pressed", pressed));
  }
  return h("div", {class: "voice"}, sound, play, h("div", {}, wave(media.file_unique_id),
    h("div", {class: "info"}, shown, message.caption ? null : meta(message))));
}

function picture(message, inAlbum) {
  const largest = message.photo.at(-1);
  const image = h("img", {src: fileUrl(largest), alt: message.caption ?? words.kinds.photo, width: largest.width, height: largest.height, loading: "lazy"});
  return h("a", {class: inAlbum ? null : "clip", href: fileUrl(largest), target: "_blank", rel: "noopener"}, image);
}

function film(message, inAlbum) {
  return h("div", {class: inAlbum ? "part" : "clip"}, h("video", {src: fileUrl(message.video), controls: true, preload: "metadata", "aria-label": words.kinds.video}));
}

function fileCard(message, media, name) {
  const line = `${fileSize(media.file_size ?? 0)} · ${time(message.date)}`;
  return h("a", {class: "file", href: fileUrl(media), download: name},
    h("span", {class: "ico"}, icon("file")), h("span", {class: "fn"}, h("b", {}, name), h("span", {class: "num"}, line)));
}

function card(name, title, line) {
  return h("div", {class: "file"}, h("span", {class: "ico"}, icon(name)), h("span", {class: "fn"}, h("b", {}, title), h("span", {}, line)));
}

const MEDIA = {
  photo: (message, inAlbum) => picture(message, inAlbum),
  // A film over 20 MB exists by its size alone.
  video: (message, inAlbum) => (message.video.file_size > 20 * 1024 * 1024
    ? fileCard(message, message.video, message.video.file_name ?? words.kinds.video) : film(message, inAlbum)),
  voice: (message) => voice(message, message.voice),
  audio: (message) => voice(message, message.audio),
  document: (message) => fileCard(message, message.document, message.document.file_name ?? words.kinds.document),
  sticker: (message) => card("star", message.sticker.emoji ?? "", words.kinds.sticker),
  contact: (message) => card("phone", [message.contact.first_name, message.contact.last_name].filter(Boolean).join(" "), message.contact.phone_number),
  location: (message) => card("pin", words.kinds.location, `${message.location.latitude}, ${message.location.longitude}`),
  poll: (message) => card("chart", message.poll.question, message.poll.options.map((option) => option.text).join(" · ")),
};
const isVisual = (message) => Boolean(message.photo) || (message.video && message.video.file_size <= 20 * 1024 * 1024);

function inside(messages) {
  const [first] = messages;
  const captioned = messages.find((message) => message.caption) ?? first;
  if (first.text !== undefined) return [quote(first), textBlock(first)];
  if (messages.length > 1 && messages.every(isVisual)) {
    const album = h("div", {class: "album", "data-count": messages.length}, ...messages.map((message) => MEDIA[kindOf(message)](message, true)));
    return [quote(first), album, textBlock(captioned) ?? h("p", {}, meta(messages.at(-1)))];
  }
  const shows = messages.map((message) => MEDIA[kindOf(message)]?.(message, false) ?? h("p", {}, summary(message), meta(message)));
  const needsTime = isVisual(first) || ["sticker", "contact", "location", "poll"].includes(kindOf(first));
  return [quote(first), ...shows, textBlock(captioned) ?? (needsTime ? h("p", {}, meta(first)) : null)];
}

function keyboard(message) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows) return null;
  const button = (key) => (key.url
    ? h("a", {href: /^https?:/i.test(key.url) ? key.url : "#", target: "_blank", rel: "noreferrer noopener"}, key.text)
    : h("button", {type: "button", "data-press": message.message_id, "data-data": key.callback_data}, key.text));
  return h("div", {class: "kb", role: "group", "aria-label": fill(words.buttons, {time: time(message.date)})},
    ...rows.map((row) => h("div", {class: "keys"}, ...row.map(button))));
}

function actions(message) {
  const editable = isOwn(message) && (message.text !== undefined || message.caption !== undefined);
  return h("span", {class: "msg-acts"},
    h("button", {class: "icon-btn", type: "button", "data-reply": message.message_id, "aria-label": words.reply, title: words.reply}, icon("reply")),
    ...(isOwn(message) ? [] : REACTIONS.map((emoji) => h("button", {class: "icon-btn", type: "button", "data-react": message.message_id,
      "data-emoji": emoji === message.customer_reaction ? "" : emoji, "aria-pressed": String(emoji === message.customer_reaction),
      "aria-label": fill(words.react, {emoji}), title: fill(words.react, {emoji})}, emoji))),
    editable ? h("button", {class: "icon-btn", type: "button", "data-edit": message.message_id, "aria-label": words.edit, title: words.edit}, icon("pencil")) : null);
}

function item(messages) {
  const [first] = messages;
  const wide = messages.some(isVisual);
  return h("li", {class: `msg ${isOwn(first) ? "out" : "in"}`, id: `m${first.message_id}`},
    h("div", {class: "stack"},
      h("div", {class: "line"}, h("div", {class: wide ? "bubble media" : "bubble"}, ...inside(messages)), actions(first)),
      ...messages.flatMap((message) => [message.customer_reaction, message.reaction]).filter(Boolean)
        .map((emoji) => h("span", {class: "reaction"}, emoji)),
      keyboard(messages.at(-1))));
}

// Messages of one album stand together wherever its late parts came in.
function grouped(messages) {
  const groups = [];
  const albums = new Map();
  for (const message of messages) {
    const album = message.media_group_id && albums.get(message.media_group_id);
    if (album) {
      album.push(message);
      continue;
    }
    const group = [message];
    if (message.media_group_id) albums.set(message.media_group_id, group);
    groups.push(group);
  }
  return groups;
}

function rows(messages) {
  const result = [];
  let lastDay = "";
  for (const group of grouped(messages.filter((message) => !message.deleted).slice(-SHOWN))) {
    const itsDay = day(group[0].date);
    if (itsDay !== lastDay) result.push({key: `day-${itsDay}`, signature: itsDay, day: group[0].date});
    lastDay = itsDay;
    result.push({key: `m${group[0].message_id}`, signature: JSON.stringify(group), group});
  }
  return result;
}

let current = new Map();

function node(row) {
  if (row.group) return item(row.group);
  return h("li", {class: "day"}, h("time", {datetime: new Date(row.day * 1000).toISOString().slice(0, 10)}, day(row.day)));
}

export function show(chat, messages, start) {
  const list = $("messages");
  const wanted = rows(messages);
  const kept = new Map();
  let previous = null;
  for (const row of wanted) {
    const key = `${chat.id}-${row.key}`;
    const old = current.get(key);
    const element = old?.signature === row.signature ? old.element : node(row);
    if (old && old.element !== element) old.element.replaceWith(element);
    const place = previous ? previous.nextSibling : list.firstChild;
    if (place !== element) list.insertBefore(element, place);
    kept.set(key, {signature: row.signature, element});
    previous = element;
  }
  while (previous ? previous.nextSibling : list.firstChild) (previous ? previous.nextSibling : list.firstChild).remove();
  current = kept;
  if (!chat.started || wanted.length === 0) {
    list.append(h("li", {class: "welcome"}, h("p", {}, words.empty), h("button", {class: "btn primary", type: "button", onclick: start}, words.start)));
  }
  neighbours(list);
}

function neighbours(list) {
  const side = (element) => (element?.classList.contains("msg") ? element.classList.contains("out") : null);
  for (const element of list.querySelectorAll(".msg")) {
    element.classList.toggle("first", side(element) !== side(element.previousElementSibling));
    element.classList.toggle("last", side(element) !== side(element.nextElementSibling));
  }
}

export function find(query) {
  const wanted = query.trim().toLowerCase();
  for (const element of $("messages").querySelectorAll(".msg")) {
    element.hidden = wanted !== "" && !element.textContent.toLowerCase().includes(wanted);
  }
}
