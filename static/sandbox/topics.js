// The chat's topics, while the bot is in threaded mode: which of them is read and written in.

import {$, h, post, words} from "./dom.js";

let chat = null;
let chosen = null; // its message_thread_id; null: all of the chat, and new messages outside every topic

const isOpen = (threadId) => (chat?.topics ?? []).some((topic) => topic.message_thread_id === threadId);

// What a message sent now says of its place.
export const place = () => (chosen === null ? {} : {message_thread_id: chosen});

export const inside = (messages) => (chosen === null ? messages : messages.filter((message) => message.message_thread_id === chosen));

export function show(current) {
  if (chat?.id !== current.id) chosen = null;
  chat = current;
  if (!isOpen(chosen)) chosen = null;
  $("topics").hidden = !chat.topics || chat.blocked;
  $("topic").replaceChildren(h("option", {value: ""}, words.allTopics),
    ...(chat.topics ?? []).map((topic) => h("option", {value: String(topic.message_thread_id)}, topic.name)));
  $("topic").value = chosen ?? "";
  $("drop-topic").hidden = chosen === null;
}

export function start({changed}) {
  const choose = (threadId) => {
    chosen = threadId;
    show(chat);
    changed();
  };
  $("topic").addEventListener("change", ({target}) => choose(target.value ? Number(target.value) : null));
  $("new-topic").addEventListener("click", async () => {
    const {message_thread_id: threadId, forum_topic_created: created} = await post(`/sandbox/chats/${chat.id}/topics`, {});
    // The stream may not have told of it yet.
    if (!isOpen(threadId)) chat.topics = [...(chat.topics ?? []), {message_thread_id: threadId, name: created.name}];
    choose(threadId);
    $("text").focus();
  });
  $("drop-topic").addEventListener("click", () => post(`/sandbox/chats/${chat.id}/topics`, {message_thread_id: chosen}));
}
