// The desk's keys. By the key's place (event.code), so that they work on any layout; single letters can be switched off
// in the profile (WCAG 2.1.4) and never fire in a field. Acts take Alt: text typed with the focus lost solves nothing.

const single = document.body.dataset.keys === "on";
const field = () => document.getElementById("reply-text");

const press = (selector) => document.querySelector(selector)?.click();

// What opens a list has the focus first, so that it comes back there when something has been chosen.
function open(selector) {
  const opener = document.querySelector(selector);
  opener?.focus();
  opener?.click();
  if (opener?.popoverTargetElement) opener.popoverTargetElement.querySelector("button, input").focus();
}

const act = (name) => () => press(`#ticket-head [data-key=${name}]`);
const view = (number) => () => document.querySelectorAll(".views a")[number]?.click();

function write(note) {
  if (!field()) return;
  const radio = document.querySelector(`#reply [name=kind][value=${note ? "note" : "reply"}]`);
  if (!radio.checked) radio.click();
  field().focus();
}

function step(by) {
  const links = [...document.querySelectorAll(".row > a")];
  const at = links.findIndex((link) => link === document.activeElement);
  const current = at >= 0 ? at : links.findIndex((link) => link.hasAttribute("aria-current"));
  const next = links[Math.min(Math.max(current + by, 0), links.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

const PLAIN = {
  KeyJ: () => step(1),
  KeyK: () => step(-1),
  Digit1: view(0),
  Digit2: view(1),
  Digit3: view(2),
  Digit4: view(3),
  KeyR: () => write(false),
  KeyN: () => write(true),
};

const WITH_ALT = {
  KeyI: act("take"),
  KeyA: () => open("#panel-ticket [data-opens=assignees]"),
  KeyE: act("resolve"),
  KeyH: () => open("#ticket-head [data-key=snooze]"),
  KeyL: () => open("#panel-ticket [data-opens=tags]"),
  KeyU: act("unread"),
  KeyJ: () => press("#take-next"),
};

const inField = (target) => target.matches("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.repeat && event.altKey) return;
  if (event.ctrlKey || event.metaKey || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.altKey) {
    run(WITH_ALT[event.code], event);
  } else if (!inField(event.target) && single) {
    // On the Russian layout «?» is Shift+7, and the key that bears it elsewhere gives a comma.
    if (event.key === "?" || (event.shiftKey && event.code === "Slash")) run(() => press("[data-opens=keys]"), event);
    else if (!event.shiftKey) run(PLAIN[event.code], event);
  }
});

function run(what, event) {
  if (!what) return;
  event.preventDefault();
  what();
}
