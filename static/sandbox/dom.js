// Small tools: elements, words, numbers, requests.

export const words = JSON.parse(document.getElementById("words").textContent);
export const language = document.documentElement.lang;
export const $ = (id) => document.getElementById(id);

// h("b", {class: "nm"}, "text", child): children that are strings become text nodes, never HTML.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function icon(name) {
  return svg("svg", {class: "icon", "aria-hidden": "true"}, svg("use", {href: `/static/sandbox/icons.svg#i-${name}`}));
}

export function fill(template, facts) {
  return template.replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
}

const plural = new Intl.PluralRules(language);

export function count(forms, n) {
  return fill(forms[plural.select(n)] ?? forms.other, {n});
}

const clock = new Intl.DateTimeFormat(language, {hour: "2-digit", minute: "2-digit"});
const clockToTheSecond = new Intl.DateTimeFormat(language, {hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false});
const calendar = new Intl.DateTimeFormat(language, {day: "numeric", month: "long"});

export const time = (seconds) => clock.format(seconds * 1000);
export const exactTime = (seconds) => clockToTheSecond.format(seconds * 1000);
export const day = (seconds) => calendar.format(seconds * 1000);

export function fileSize(bytes) {
  const [b, kb, mb] = words.units;
  if (bytes < 1024) return `${bytes}\u00a0${b}`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)}\u00a0${kb}`;
  return `${Math.round(bytes / 1024 / 1024)}\u00a0${mb}`;
}

export function duration(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

export function toast(text) {
  const note = h("p", {class: "toast"}, text);
  $("toasts").append(note);
  setTimeout(() => note.remove(), 5000);
}

export async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

// Posts JSON or a form. A refusal is shown and thrown, so that what was typed stays.
export async function post(path, body) {
  const form = body instanceof FormData;
  const response = await fetch(path, {
    method: "POST",
    body: form ? body : JSON.stringify(body ?? {}),
    headers: form ? {} : {"Content-Type": "application/json"},
  });
  if (!response.ok) {
    const {error} = await response.json().catch(() => ({error: response.statusText}));
    toast(fill(words.failed, {reason: error}));
    throw new Error(error);
  }
  return response.status === 204 ? null : response.json();
}
