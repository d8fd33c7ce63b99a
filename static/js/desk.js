// What the desk's pages do beyond links and forms: time that passes, menus, what has been seen, answers that went wrong.

const words = document.getElementById("words").dataset;
const MINUTE = 60;
const REFRESH = 30_000; // ms; the shortest time the desk speaks of is a minute
const TOAST = 8_000; // ms; as long as «Решить» can be taken back
const GONE = 10_000; // ms; an answer that takes longer is not waited for
const SEEN_PAUSE = 500; // ms
const READING = 1_000; // ms; what appears while one types is not read the moment it stands there

const headers = () => JSON.parse(document.body.getAttribute("hx-headers:inherited"));

// ---- time

const fill = (phrase, values) => phrase.replace(/%\((\w+)\)s/g, (_match, name) => values[name]);

function duration(seconds) {
  const minutes = Math.floor(seconds / MINUTE);
  const hours = Math.floor(minutes / MINUTE);
  const days = Math.floor(hours / 24);
  if (minutes < 1) return words.moment;
  if (hours < 1) return fill(words.minutes, { minutes });
  if (days < 1) return fill(words.hours, { hours, minutes: minutes % MINUTE });
  return fill(words.days, { days });
}

function tellTime() {
  for (const element of document.querySelectorAll("[data-since]")) {
    const time = duration((Date.now() - Date.parse(element.dataset.since)) / 1000);
    const text = "bare" in element.dataset ? time : fill(words.waiting, { time });
    if (element.textContent !== text) element.textContent = text;
  }
}

setInterval(tellTime, REFRESH);
document.addEventListener("visibilitychange", () => { if (!document.hidden) tellTime(); });

// ---- menus, dialogs, toasts

const OPENERS = {
  keys: () => document.getElementById("keys").showModal(),
};

function showOpeners() {
  for (const button of document.querySelectorAll("[data-opens=keys]")) button.hidden = false;
}

async function choose(link) {
  const chooser = document.getElementById("chooser");
  await htmx.ajax("GET", link.getAttribute("href"), { source: link, target: "#chooser", swap: "innerHTML" });
  // An item of a menu goes away with the menu; the list then opens where that menu was opened.
  const menu = link.closest("[popover]");
  const source = menu?.id === "more-menu" ? document.querySelector("[popovertarget=more-menu]") : link;
  if (menu?.id === "more-menu") menu.hidePopover();
  if (!chooser.matches(":popover-open")) chooser.showPopover({ source });
  chooser.querySelector("input, button")?.focus();
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    event.preventDefault();
    (OPENERS[opener.dataset.opens] ?? choose)(opener);
    return;
  }
  const copy = event.target.closest("[data-copy-link]");
  if (copy && navigator.clipboard) {
    event.preventDefault();
    navigator.clipboard.writeText(copy.href).then(() => toast(words.copied));
  }
  // A list that has been chosen from is done.
  const item = event.target.closest(".menu[popover] :is(button[type=submit], .item)");
  if (item && item.id !== "profile") item.closest("[popover]").hidePopover?.();
});

// Enter in a field beside its button presses that button, never the first one of the shared form.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches(".moment input")) return;
  event.preventDefault();
  event.target.closest(".moment").querySelector("button").click();
});

// Words at the edge of the page, with a way to the ticket they speak of.
function toast(text, ticket) {
  const element = document.createElement("div");
  element.className = "toast";
  element.dataset.toast = "";
  const span = document.createElement("span");
  span.textContent = text;
  element.append(span, ticket ? linkTo(ticket) : document.createElement("span"));
  document.getElementById("toasts").replaceChildren(element);
  htmx.process(element);
}

function linkTo(ticket) {
  const link = document.createElement("a");
  link.className = "btn";
  link.href = words.ticket.replace("/0/", `/${ticket}/`);
  link.textContent = words.open;
  link.setAttribute("hx-get", link.getAttribute("href"));
  link.setAttribute("hx-target", "#ticket");
  link.setAttribute("hx-sync", "#ticket:replace");
  link.setAttribute("hx-push-url", "true");
  document.body.addEventListener("desk:ticket", () => link.closest(".toast")?.remove(), { once: true });
  return link;
}

document.body.addEventListener("desk:toast", ({ detail: { text, ticket } }) => toast(text, ticket));

const retire = (element) => setTimeout(() => element.remove(), TOAST);
const toastsCome = new MutationObserver((changes) => {
  for (const change of changes) for (const element of change.addedNodes) if (element.nodeType === 1) retire(element);
});

function watchToasts() {
  const toasts = document.getElementById("toasts");
  for (const element of toasts.children) retire(element);
  toastsCome.disconnect();
  toastsCome.observe(toasts, { childList: true });
}

// Where nothing hovers, a touch of a message shows what can be done with it.
document.addEventListener("click", (event) => {
  const touched = event.target.closest("#log-list .bubble")?.closest(".msg");
  for (const line of document.querySelectorAll("#log-list > .touched")) if (line !== touched) line.classList.remove("touched");
  if (!event.target.closest("a, button, audio, video")) touched?.classList.toggle("touched");
});

// ---- what has been seen: the last message and the last line of history that stood before somebody's eyes

const log = () => document.getElementById("log-list");
// The greatest, not the lowest on the page: an album stands at its first part and counts by its last.
const lastOf = (name) => Math.max(0, ...[...(log()?.querySelectorAll(`[data-${name}]`) ?? [])].map((line) => Number(line.dataset[name])));

let seen = 0;
let seenEvent = 0;
let told = 0;
let timer;

const eyes = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting || document.hidden) continue;
    setTimeout(see, document.getElementById("reply-text")?.value ? READING : 0, entry.target);
  }
});

function see(line) {
  if (!line.isConnected) return;
  seen = Math.max(seen, Number(line.dataset.message ?? 0));
  seenEvent = Math.max(seenEvent, Number(line.dataset.event ?? 0));
  tellSeen();
}

function watch(list) {
  for (const line of list.querySelectorAll("[data-message], [data-event]")) eyes.observe(line);
}

const cameWith = () => document.querySelector("#acts [name=seen]").value.split(".").map(Number);

function openLog() {
  eyes.disconnect();
  clearTimeout(timer);
  seen = 0;
  told = Number(document.querySelector("#acts [name=seen]")?.dataset.read ?? 0);
  const list = log();
  if (!list) return;
  [, seenEvent] = cameWith();
  watch(list);
  new MutationObserver((changes) => {
    // An album that has grown before somebody's eyes is looked at anew.
    for (const { type, target } of changes) if (type === "attributes") eyes.unobserve(target);
    watch(list);
  }).observe(list, { childList: true, subtree: true, attributeFilter: ["data-message"] });
}

document.addEventListener("visibilitychange", () => { if (!document.hidden && log()) { eyes.disconnect(); watch(log()); } });

function tellSeen() {
  clearTimeout(timer);
  if (seen <= told) return;
  const acts = document.getElementById("acts");
  timer = setTimeout(async () => {
    const upTo = seen;
    const body = new URLSearchParams({ seen: upTo });
    const answer = await fetch(acts.action, { method: "POST", body, headers: { ...headers(), "X-Requested-With": "fetch" } }).catch(() => null);
    // Ids are counted over all tickets: what was told of one says nothing of the next.
    if (!answer?.ok || !acts.isConnected) return;
    told = Math.max(told, upTo);
    markRead();
  }, SEEN_PAUSE);
}

function markRead() {
  const row = document.querySelector(`#row-${document.querySelector(".ticket").dataset.ticket}`);
  row?.removeAttribute("data-unread");
  row?.querySelector(".count")?.remove();
}

// ---- requests

// The ticket an act is about, where another one stands on the page by now.
function leftTicket({ request }) {
  const ticket = request?.method === "POST" && request.action.match(/\/t\/(\d+)\//)?.[1];
  return ticket && ticket !== document.querySelector(".ticket")?.dataset.ticket ? ticket : "";
}

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  if (ctx.request.method !== "POST" || !log()) return;
  const { body } = ctx.request;
  if (leftTicket(ctx)) {
    // A toast's button: it brings along itself how far its ticket was read, the form around it is the open one's.
    body.set("seen", ctx.sourceElement.value);
    return;
  }
  // What the page shows may be newer than the forms it came with.
  body.set("seen", `${seen || cameWith()[0]}.${seenEvent}`);
  body.set("after", lastOf("message"));
  body.set("event", lastOf("event"));
});

// What the stream has already brought is not put in twice.
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = event.detail;
  const left = leftTicket(ctx);
  if (ctx.response?.status >= 400 && (left || isPage(ctx))) {
    event.preventDefault();
    if (!left) explain(ctx);
    return;
  }
  if (left) keepAside(tasks);
  for (const task of tasks) {
    const target = typeof task.target === "string" ? document.querySelector(task.target) : task.target;
    if (target?.id !== "log-list") continue;
    for (const line of [...task.fragment.querySelectorAll("li[id]")]) {
      if (document.getElementById(line.id) || isInAlbum(line)) line.remove();
    }
  }
});

// Of an answer about a ticket that was left, its row and its toast alone have a place here.
function keepAside(tasks) {
  const kept = tasks.filter(({ target }) => target?.id === "toasts" || target?.matches?.(".row"));
  for (const { fragment } of kept) fragment.querySelector("[aria-current]")?.removeAttribute("aria-current");
  tasks.splice(0, tasks.length, ...kept);
}

// Later parts of an album stand in the bubble of the first, which the same answer shows anew.
const isInAlbum = ({ dataset: { album } }) => album && log().querySelector(`[data-album="${CSS.escape(album)}"]`);

document.addEventListener("htmx:error", (event) => {
  if (event.detail.error?.name === "AbortError" && event.detail.ctx?.request.signal.reason !== "timeout") return;
  if (event.detail.ctx) tell(event.detail.ctx, words.notSent);
});

// Where the ticket was left, nothing of the answer may be swapped in, not even the words of its refusal.
document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
  if (leftTicket(ctx)) explain(ctx);
});

// What was done, but is to be told of above the composer.
document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  const said = leftTicket(ctx) && ctx.response?.status < 400 && reason(ctx, "[hx-target='#guard'] .strip p");
  if (said) toast(said);
});

const isPage = ({ text }) => /^\s*<!doctype/i.test(text);
const reason = ({ text }, place = ".strip p") => new DOMParser().parseFromString(text, "text/html").querySelector(place)?.textContent.trim() ?? "";

function explain(ctx) {
  const { status } = ctx.response;
  if (!isPage(ctx)) tell(ctx, reason(ctx));
  else if (status === 403 && ctx.sourceElement.isConnected) sendAgain(ctx);
  else if (status === 404) tell(ctx, leftTicket(ctx) ? words.goneThere : words.gone);
  else tell(ctx, words.failed);
}

// To whoever tried, wherever they are by now.
function tell(ctx, text) {
  const left = leftTicket(ctx);
  if (!left) {
    say(text);
    return;
  }
  const isReply = ctx.request.action.endsWith("/reply/");
  const isGone = ctx.response?.status === 404; // it has no page to open any more, nor a draft to find there
  const said = [(isReply ? words.leftReply : words.leftAct).replace("0", left), isReply && !isGone && words.draftKept, text];
  toast(said.filter(Boolean).join(" "), isGone ? "" : left);
}

// One press acts once: the second click of a double click would press what the first one's answer has put there.
document.addEventListener("click", (event) => {
  if (event.detail < 2 || !event.target.closest("[form=acts]")) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

// A form without a fragment for its answer leaves the page; until it does, it has been sent already.
const leaving = new WeakSet();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (leaving.has(form)) event.preventDefault();
  else setTimeout(() => leaving.delete(form), GONE); // whoever chose to stay, or came back, may send it anew
  leaving.add(form);
});

// What is sent for the second time, with a new token, until it is answered.
const repeated = new WeakSet();

async function sendAgain(ctx) {
  const { sourceElement: source, request: { submitter } } = ctx;
  if (repeated.delete(source) || !(await renewToken())) {
    tell(ctx, words.failed);
    return;
  }
  repeated.add(source);
  if (source.matches("form")) source.requestSubmit(submitter);
  else source.click();
}

document.addEventListener("htmx:after:swap", (event) => repeated.delete(event.detail.ctx.sourceElement));

// Signing in again in another tab changes the token that every form carries.
async function renewToken() {
  const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return false;
  const { body } = new DOMParser().parseFromString(await answer.text(), "text/html");
  const given = body.getAttribute("hx-headers:inherited");
  if (!given || body.dataset.user !== document.body.dataset.user) return false;
  document.body.setAttribute("hx-headers:inherited", given);
  const token = JSON.parse(given)["X-CSRFToken"];
  for (const input of document.querySelectorAll("[name=csrfmiddlewaretoken]")) input.value = token;
  return true;
}

// Words above the composer; where there is none, in a toast.
function say(text) {
  const guard = document.getElementById("guard");
  if (!guard) {
    toast(text);
    return;
  }
  const strip = document.createElement("div");
  strip.className = "strip warn";
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  strip.append(paragraph);
  guard.replaceChildren(strip);
}

document.body.addEventListener("desk:say", ({ detail: text }) => say(text));

// ---- moving from ticket to ticket

document.addEventListener("htmx:after:swap", (event) => {
  const { ctx } = event.detail;
  const target = typeof ctx.target === "string" ? document.querySelector(ctx.target) : ctx.target;
  if (target?.id === "ticket") {
    const id = target.querySelector(".ticket")?.dataset.ticket;
    document.querySelector(".desk").dataset.view = "ticket";
    for (const link of document.querySelectorAll(".row > a")) {
      if (link.closest(".row").id === `row-${id}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    openLog();
    document.body.dispatchEvent(new CustomEvent("desk:ticket"));
  }
  // Back and Forward bring the whole page anew, as the server makes it.
  if (target === document.body) {
    start();
    document.body.dispatchEvent(new CustomEvent("desk:restored"));
    document.body.dispatchEvent(new CustomEvent("desk:ticket"));
  }
});

document.addEventListener("click", (event) => {
  const read = event.target.closest("[data-read]");
  if (!read) return;
  // What stands further up than this page reaches has a page of its own.
  const message = document.querySelector(read.hash);
  if (!message) return;
  event.preventDefault();
  message.scrollIntoView({ block: "center" });
  read.closest("#guard")?.replaceChildren();
});

function start() {
  showOpeners();
  watchToasts();
  openLog();
  tellTime();
}

start();
