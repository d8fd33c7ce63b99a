// One live stream a browser, whatever the number of tabs: over HTTP/1.1 a browser opens six connections to a site and
// a seventh tab would hang. One tab listens (live/listener.js) and passes on what it hears; each fires that on <body>:
//   live:on       from now on nothing is missed: ask for what may have been
//   live:off      nothing is heard
//   live:crowded  nothing is heard until somebody looks at this page: the same person has opened too many others
//   live:change   {kind, ticket, message, version}
//   live:expired  the session is over: this person has to sign in again
// Signing out in one tab takes all of them to the login page.

import { Listener } from "./live/listener.js";

const { user, session, events, login, streamWorker } = document.body.dataset;
const name = `helpdesk ${user} ${session}`;

const tab = crypto.randomUUID?.() ?? String(Math.random());
const channel = new BroadcastChannel(name);
let listener; // where this tab is the one

const fire = (word, detail) => document.body.dispatchEvent(new CustomEvent(`live:${word}`, { detail }));

function hear(message) {
  listener?.hear(message, (answer) => channel.postMessage(answer));
  if (message.name === "out") location.assign(login);
  else if (!["ask", "wake"].includes(message.name) && (!message.detail?.to || message.detail.to === tab)) fire(message.name, message.detail);
}

function tell(word, detail) {
  channel.postMessage({ name: word, detail });
  hear({ name: word, detail });
}

channel.onmessage = (message) => hear(message.data);

// No reason to wait any longer.
addEventListener("online", () => tell("wake"));
document.addEventListener("visibilitychange", () => { if (!document.hidden) tell("wake"); });
document.addEventListener("click", (event) => { if (event.target.closest("[data-reconnects]")) tell("wake"); });

// The answer to signing out is what takes this page away, so by then the session is over for the others too.
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-signs-out]")) addEventListener("pagehide", () => channel.postMessage({ name: "out" }));
});

const ask = () => channel.postMessage({ name: "ask", detail: { from: tab } });
// A page that comes back whole from the browser's memory has heard nothing meanwhile.
addEventListener("pageshow", (event) => { if (event.persisted) ask(); });

function listen() {
  listener = new Listener({ user, events, login }, tell);
  return listener.listen();
}

// Some browsers of phones have no shared workers, and older ones none made of modules.
function listenAlone() {
  channel.close();
  channel.postMessage = () => {};
  listen();
}

function startWorker() {
  // A new version of the site brings a worker of its own, beside that of the tabs still open.
  const page = JSON.stringify({ channel: name, user, events, login });
  new SharedWorker(streamWorker, { name: page, type: "module" }).onerror = listenAlone;
  ask();
}

if (navigator.locks) {
  ask();
  // When the tab that holds the lock closes, the lock goes to another.
  navigator.locks.request(name, listen);
} else if ("SharedWorker" in globalThis) {
  // Browsers offer locks only to pages served over HTTPS or from this machine.
  startWorker();
} else {
  listenAlone();
}
