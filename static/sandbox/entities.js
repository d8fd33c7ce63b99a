// Text with Telegram's entities as DOM nodes: text nodes and a few elements, never HTML.

import {h} from "./dom.js";

const ELEMENTS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "code", blockquote: "blockquote", expandable_blockquote: "blockquote",
};
const SCHEMES = /^(https?|tg|mailto|tel):/i;

function wrap(entity, nodes, text) {
  if (ELEMENTS[entity.type]) return h(ELEMENTS[entity.type], {}, ...nodes);
  if (entity.type === "spoiler") return h("span", {class: "spoiler", tabindex: "0"}, ...nodes);
  if (entity.type === "bot_command") return h("button", {type: "button", class: "cmd", "data-command": text}, ...nodes);
  const address = {
    text_link: entity.url, url: SCHEMES.test(text) ? text : `https://${text}`, email: `mailto:${text}`, phone_number: `tel:${text}`,
  }[entity.type];
  if (address && SCHEMES.test(address)) return h("a", {href: address, target: "_blank", rel: "noreferrer noopener"}, ...nodes);
  return h("span", {}, ...nodes);
}

// Offsets are UTF-16 units, as JavaScript's own. Entities nest and never cross (Bot API, "Formatting options").
export function rich(text, entities = [], from = 0, to = text.length) {
  const nodes = [];
  let at = from;
  let index = 0;
  while (index < entities.length) {
    const entity = entities[index];
    const end = Math.min(entity.offset + entity.length, to);
    const inner = entities.slice(index + 1).filter((other) => other.offset < end);
    index += 1 + inner.length;
    if (entity.offset < at || entity.offset >= to) continue;
    nodes.push(text.slice(at, entity.offset));
    nodes.push(wrap(entity, rich(text, inner, entity.offset, end), text.slice(entity.offset, end)));
    at = end;
  }
  nodes.push(text.slice(at, to));
  return nodes.filter((node) => node !== "");
}
