// The page's state, kept live by one stream. Nothing is replayed: on every connection it reads all of it anew.

import * as bubbles from "./bubbles.js";
import * as calls from "./calls.js";
import * as composer from "./composer.js";
import {$, fill, get, post, toast, words} from "./dom.js";
import * as knobs from "./knobs.js";
import * as people from "./people.js";
import * as topics from "./topics.js";

const CALLS = 200;
const ACTION_LASTS = 5000; // Bot API, sendChatAction: "the status is set for 5 seconds or less"
const ANSWER_TIMEOUT = 10000;

let chats = new Map();
let messages = [];
let currentId = 0;
let knobState = {};
let action = null;
let loading = false;
const unread = new Map();
const pressed = new Map();
const answeredEarly = new Set();

const current = () => chats.get(currentId);

function showStatus() {
  $("tg-status").textContent = action ?? fill(words.you, {name: people.nameOf(current())});
}

function showPeople() {
  people.show([...chats.values()], currentId, unread);
}

function showChat() {
  if (loading) return;
  bubbles.show(current(), topics.inside(messages), () => composer.say("/start"));
  bubbles.find($("find").value);
}

async function open(id) {
  currentId = chats.has(id) ? id : [...chats.keys()][0];
  const opened = currentId;
  unread.delete(opened);
  action = null;
  messages = [];
  loading = true;
  const read = await get(`/sandbox/chats/${opened}/messages?shown=1`);
  if (opened !== currentId) return;
  // What the stream brought meanwhile is newer than what was read.
  const newer = new Map(messages.map((message) => [message.message_id, message]));
  messages = [...read.filter((message) => !newer.has(message.message_id)), ...newer.values()];
  messages.sort((one, other) => one.message_id - other.message_id);
  loading = false;
  showPeople();
  showStatus();
  topics.show(current());
  showChat();
  composer.show(current());
  knobs.show(knobState, current());
}

async function readChats() {
  chats = new Map((await get("/sandbox/chats")).map((chat) => [chat.id, chat]));
}

async function readAll() {
  await readChats();
  knobState = await get("/sandbox/knobs");
  await open(Number(location.hash.slice(1)) || currentId);
  calls.show(await get(`/sandbox/log?last=${CALLS}`));
}

function upsert(message) {
  const index = messages.findIndex((known) => known.message_id === message.message_id);
  if (index < 0) messages.push(message);
  else messages[index] = {...message, reaction: messages[index].reaction, customer_reaction: messages[index].customer_reaction};
  showChat();
}

const onEvent = {
  message({chat_id: chatId, message}) {
    const chat = chats.get(chatId);
    if (!chat) return;
    chat.started = true;
    chat.last = message;
    if (chatId === currentId) {
      action = null;
      upsert(message);
      showStatus();
    } else if (message.from.is_bot) {
      unread.set(chatId, (unread.get(chatId) ?? 0) + 1);
    }
    showPeople();
  },
  edited({chat_id: chatId, message}) {
    const chat = chats.get(chatId);
    if (chat?.last?.message_id === message.message_id) chat.last = message;
    if (chatId === currentId) upsert(message);
    showPeople();
  },
  async marked({chat_id: chatId, message_id: messageId, ...mark}) {
    if (mark.deleted && chats.get(chatId)?.last?.message_id === messageId) {
      await readChats();
      showPeople();
    }
    if (chatId !== currentId) return;
    messages = messages.map((message) => (message.message_id === messageId ? {...message, ...mark} : message));
    showChat();
  },
  cleared({chat_id: chatId}) {
    if (chatId !== currentId) return;
    messages = [];
    showChat();
  },
  chat({chat}) {
    chats.set(chat.id, chat);
    showPeople();
    if (chat.id !== currentId) return;
    composer.show(chat);
    knobs.show(knobState, chat);
    topics.show(chat);
    showChat();
  },
  topics({chat_id: chatId, topics: listed}) {
    const chat = chats.get(chatId);
    if (!chat) return;
    chat.topics = listed;
    if (chatId !== currentId) return;
    topics.show(chat);
    showChat();
  },
  keyboard({chat_id: chatId, keyboard}) {
    const chat = chats.get(chatId);
    if (chat) chat.keyboard = keyboard;
    if (chatId === currentId) composer.newKeyboard();
  },
  async commands() {
    await readChats();
    composer.show(current());
  },
  call({call}) {
    calls.add(call);
  },
  async knobs() {
    knobState = await get("/sandbox/knobs");
    // One of them is the bot's threaded mode, which gives every chat its topics.
    await readChats();
    knobs.show(knobState, current());
    composer.show(current());
    topics.show(current());
    showChat();
  },
  answered({callback_query_id: queryId, text, show_alert: alert}) {
    // The answer may overtake the reply that tells us the query's id.
    if (pressed.has(queryId)) pressed.get(queryId)();
    else answeredEarly.add(queryId);
    pressed.delete(queryId);
    if (!text) return;
    if (alert) {
      $("alert-text").textContent = text;
      $("alert-dialog").showModal();
    } else {
      toast(text);
    }
  },
  action({chat_id: chatId, action: kind}) {
    if (chatId !== currentId) return;
    const shown = words.actions[kind] ?? words.actions.typing;
    action = shown;
    showStatus();
    setTimeout(() => {
      if (action === shown) action = null;
      showStatus();
    }, ACTION_LASTS);
  },
};

function listen() {
  const stream = new EventSource("/sandbox/events");
  stream.addEventListener("open", () => {
    document.body.classList.remove("offline");
    readAll();
  });
  stream.addEventListener("message", ({data}) => {
    const {kind, ...facts} = JSON.parse(data);
    if (chats.size > 0) onEvent[kind]?.(facts);
  });
  stream.addEventListener("error", () => {
    if (!document.body.classList.contains("offline")) toast(words.offline);
    document.body.classList.add("offline");
  });
}

async function press(button) {
  button.setAttribute("aria-busy", "true");
  const free = () => button.removeAttribute("aria-busy");
  const given = {message_id: Number(button.dataset.press), data: button.dataset.data};
  let queryId;
  try {
    queryId = (await post(`/sandbox/chats/${currentId}/press`, given)).callback_query_id;
  } catch {
    free();
    return;
  }
  if (answeredEarly.delete(queryId)) {
    free();
    return;
  }
  pressed.set(queryId, free);
  setTimeout(() => {
    if (!pressed.delete(queryId)) return;
    free();
    toast(words.noAnswer);
  }, ANSWER_TIMEOUT);
}

// A part of the message that is selected when «reply» is pressed becomes the quote.
function selected(item) {
  const selection = getSelection();
  return item.contains(selection.anchorNode) && item.contains(selection.focusNode) ? selection.toString().trim() : "";
}

function onMessages(event) {
  const target = event.target.closest("[data-press], [data-reply], [data-edit], [data-react], [data-jump], [data-command]");
  const item = event.target.closest(".msg");
  if (!target) {
    item?.classList.toggle("touched");
    return;
  }
  const {press: isKey, reply, edit, jump, command} = target.dataset;
  const message = messages.find((known) => known.message_id === Number(reply ?? edit));
  if (isKey) press(target);
  else if (target.dataset.react) post(`/sandbox/chats/${currentId}/react`, {message_id: Number(target.dataset.react), emoji: target.dataset.emoji});
  else if (command) composer.say(command);
  else if (jump) {
    event.preventDefault();
    $(`m${jump}`)?.scrollIntoView({block: "center"});
  } else if (reply) composer.reply(message, selected(item));
  else composer.edit(message);
}

function startMenus() {
  $("messages").addEventListener("click", onMessages);
  // Pressing «reply» must not take the selection away before it is read.
  $("messages").addEventListener("mousedown", (event) => event.target.closest(".msg-acts") && event.preventDefault());
  $("tg-menu").addEventListener("click", () => $("tg-menu").hidePopover());
  $("restart").addEventListener("click", () => composer.say("/start"));
  $("block").addEventListener("click", () => post(`/sandbox/chats/${currentId}/block`));
  $("clear").addEventListener("click", () => post(`/sandbox/chats/${currentId}/clear`));
  $("find-toggle").addEventListener("click", () => {
    const hidden = !$("find").hidden;
    $("find").hidden = hidden;
    $("find-toggle").setAttribute("aria-expanded", String(!hidden));
    $("find").value = "";
    bubbles.find("");
    if (!hidden) $("find").focus();
  });
  $("find").addEventListener("input", () => bubbles.find($("find").value));
}

addEventListener("hashchange", async () => {
  const id = Number(location.hash.slice(1));
  if (!chats.has(id)) await readChats();
  if (!chats.has(id)) return;
  if ($("people").matches(":popover-open")) $("people").hidePopover();
  open(id);
});
people.start();
calls.start();
composer.start({messages: () => messages});
knobs.start({chat: current, changed: (state) => {
  knobState = state;
  knobs.show(knobState, current());
}});
topics.start({changed: showChat});
startMenus();
listen();
