// Reads /events for every tab of a browser, for ever, and says what it hears in the words stream.js lists.

const QUIET = 40_000; // The server proves that it lives every 15 s.
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;
const GOODBYE = 1_000; // Between the end of a session and the word that a tab has signed out.

export class Listener {
  #page;
  #tell;
  #state; // "on", "off" or "crowded", once known
  #isLeaving = false;
  #wake = () => {};

  // `page`: whose stream it is and where it is found, as <body> says; `tell(name, detail)` reaches every tab.
  constructor(page, tell) {
    this.#page = page;
    this.#tell = tell;
  }

  // What a tab says to whoever listens for it; `answer` reaches every tab.
  hear({ name, detail }, answer) {
    // A tab has just opened. To the others "on" again would mean another round of questions.
    if (name === "ask" && this.#state) answer({ name: this.#state, detail: { to: detail.from } });
    if (name === "wake") this.#wake();
    if (name === "out") this.#isLeaving = true;
  }

  async listen() {
    let hasExpired = false;
    for (let failures = 0; ; failures += 1) {
      let isCrowded = false;
      try {
        isCrowded = await this.#read(() => {
          failures = 0;
          hasExpired = false;
        });
      } catch (error) {
        // No network, no server, silence for too long, or an answer that is no stream: try again. Signing in again in
        // another tab ends even this.
        if (error.status === 401 && !hasExpired) {
          hasExpired = true;
          await this.#pause(GOODBYE);
          if (!this.#isLeaving) this.#tell("expired", { login: this.#page.login });
        }
      }
      this.#show(isCrowded ? "crowded" : "off");
      const longest = Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE);
      // Everybody's stream ends when the server restarts; they must not all come back at once. Who had to make room
      // comes back when somebody looks: by itself it would push out another, which would push out the next.
      await this.#pause(isCrowded ? undefined : longest * (0.5 + Math.random()));
    }
  }

  #show(state) {
    if (this.#state === state && state !== "on") return;
    this.#state = state;
    this.#tell(state);
  }

  // Without a number of milliseconds, until a tab wakes it.
  #pause(milliseconds) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (milliseconds !== undefined) setTimeout(resolve, milliseconds);
    });
  }

  // Returns whether the stream ended to make room for others of the same person.
  async #read(onOpen) {
    const stop = new AbortController();
    let alarm;
    const stillThere = () => {
      clearTimeout(alarm);
      alarm = setTimeout(() => stop.abort(), QUIET);
    };
    try {
      stillThere();
      const headers = { Accept: "text/event-stream" };
      const answer = await fetch(this.#page.events, { signal: stop.signal, cache: "no-store", headers });
      if (!answer.ok) throw Object.assign(new Error("no stream"), { status: answer.status });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return false;
        stillThere();
        const blocks = (text + value).split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          if (this.#receive(block, onOpen) === "crowded") return true;
        }
      }
    } finally {
      clearTimeout(alarm);
      stop.abort();
    }
  }

  // One event of https://html.spec.whatwg.org/multipage/server-sent-events.html, as our server writes them: one data
  // line. Returns its name.
  #receive(block, onOpen) {
    const fields = Object.fromEntries(block.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }));
    const data = fields.data && JSON.parse(fields.data);
    if (fields.event === "hello") {
      if (String(data.user) === this.#page.user) {
        onOpen();
        this.#show("on");
      } else {
        // Somebody else has signed in here: this page is not theirs.
        this.#tell("out");
      }
    } else if (fields.event === "pause") {
      this.#show("off");
    } else if (data && !fields.event) {
      this.#tell("change", data);
    }
    return fields.event;
  }
}
