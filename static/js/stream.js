// One live stream a browser, whatever the number of tabs: over HTTP/1.1 a browser opens six connections to a site and
// a seventh tab would hang. The tab that holds the lock reads /events and passes on what it hears; when it closes, the
// lock goes to another. Each tab fires what it hears on <body>:
//   live:on       from now on nothing is missed: ask for what may have been
//   live:off      nothing is heard
//   live:change   {kind, ticket, message, version}
//   live:expired  the session is over: this person has to sign in again
// Signing out in one tab takes all of them to the login page.

const { user, session, events, login } = document.body.dataset;
const QUIET = 40_000; // The server proves that it lives every 15 s.
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;
const GOODBYE = 1_000; // Between the end of a session and the word that a tab has signed out.

const tab = crypto.randomUUID?.() ?? String(Math.random());
const channel = new BroadcastChannel(`helpdesk ${user} ${session}`);
let isLeader = false;
let state; // "on" or "off", once known
let isLeaving = false;
let wake = () => {};

const fire = (name, detail) => document.body.dispatchEvent(new CustomEvent(`live:${name}`, { detail }));

function hear({ name, detail }) {
  if (name === "ask") {
    // A tab has just opened. To the others "on" again would mean another round of questions.
    if (isLeader && state) channel.postMessage({ name: state, detail: { to: detail.from } });
  } else if (name === "wake") {
    wake();
  } else if (name === "out") {
    isLeaving = true;
    location.assign(login);
  } else if (!detail?.to || detail.to === tab) {
    if (name === "on" || name === "off") state = name;
    fire(name, detail);
  }
}

function tell(name, detail) {
  channel.postMessage({ name, detail });
  hear({ name, detail });
}

channel.onmessage = (message) => hear(message.data);

async function lead() {
  isLeader = true;
  let hasExpired = false;
  for (let failures = 0; ; failures += 1) {
    try {
      await listen(() => {
        failures = 0;
        hasExpired = false;
      });
    } catch (error) {
      // No network, no server, silence for too long, or an answer that is no stream: try again. Signing in again in
      // another tab ends even this.
      if (error.status === 401 && !hasExpired) {
        hasExpired = true;
        await pause(GOODBYE);
        if (!isLeaving) tell("expired", { login });
      }
    }
    if (state !== "off") tell("off");
    const longest = Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE);
    // Everybody's stream ends when the server restarts; they must not all come back at once.
    await pause(longest * (0.5 + Math.random()));
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    wake = resolve;
    setTimeout(resolve, milliseconds);
  });
}

// No reason to wait any longer.
addEventListener("online", () => tell("wake"));
document.addEventListener("visibilitychange", () => { if (!document.hidden) tell("wake"); });
document.addEventListener("click", (event) => { if (event.target.closest("#reconnect")) tell("wake"); });

async function listen(onOpen) {
  const stop = new AbortController();
  let alarm;
  const stillThere = () => {
    clearTimeout(alarm);
    alarm = setTimeout(() => stop.abort(), QUIET);
  };
  try {
    stillThere();
    const answer = await fetch(events, { signal: stop.signal, cache: "no-store", headers: { Accept: "text/event-stream" } });
    if (!answer.ok) throw Object.assign(new Error("no stream"), { status: answer.status });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      stillThere();
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) receive(block, onOpen);
    }
  } finally {
    clearTimeout(alarm);
    stop.abort();
  }
}

// One event of https://html.spec.whatwg.org/multipage/server-sent-events.html, as our server writes them: one data line.
function receive(block, onOpen) {
  const fields = Object.fromEntries(block.split("\n").map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }));
  const data = fields.data && JSON.parse(fields.data);
  if (fields.event === "hello") {
    // Somebody else has signed in here: this page is not theirs.
    if (String(data.user) !== user) return tell("out");
    onOpen();
    return tell("on");
  }
  if (fields.event === "pause") return tell("off");
  return data && !fields.event ? tell("change", data) : undefined;
}

// The answer to signing out is what takes this page away, so by then the session is over for the others too.
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-signs-out]")) addEventListener("pagehide", () => channel.postMessage({ name: "out" }));
});

const ask = () => channel.postMessage({ name: "ask", detail: { from: tab } });
// A page that comes back whole from the browser's memory has heard nothing meanwhile.
addEventListener("pageshow", (event) => { if (event.persisted) ask(); });

if (navigator.locks) {
  ask();
  navigator.locks.request(`helpdesk ${user} ${session}`, lead);
} else {
  // Browsers offer locks to pages served over HTTPS or from this machine; elsewhere each tab listens for itself.
  channel.close();
  channel.postMessage = () => {};
  lead();
}
