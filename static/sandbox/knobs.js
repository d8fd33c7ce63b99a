// Trouble on the right: each switch is a knob of the server, and shows what is left of it.

import {$, count, fill, get, post, words} from "./dom.js";

const switches = () => [...document.querySelectorAll(".knob input")];
// This one is not a knob: it is the customer's own act.
const STOPPED = "stopped";
// A state of the bot, which is on or off and strikes nothing.
const MODES = ["threaded_mode"];

function rest(knob) {
  return knob.left === null ? words.whileOn : count(words.left, knob.left);
}

function paint(input, knob) {
  const effect = input.closest(".knob").querySelector("[data-effect]");
  input.checked = Boolean(knob);
  effect.textContent = knob && input.name !== STOPPED && !MODES.includes(input.name) ? `${effect.dataset.effect}, ${rest(knob)}` : effect.dataset.effect;
}

export function show(knobs, chat) {
  for (const input of switches()) paint(input, input.name === STOPPED ? chat?.blocked : knobs[input.name]);
  const on = switches().filter((input) => input.checked).length;
  $("to-knobs").querySelector(".dot").hidden = on === 0;
  $("to-knobs").setAttribute("aria-label", fill(words.knobsOn, {n: on}));
}

export function start({chat, changed}) {
  for (const input of switches()) {
    input.addEventListener("change", async () => {
      const times = MODES.includes(input.name) ? "" : document.querySelector("[name=reach]:checked").value;
      try {
        if (input.name === STOPPED) await post(`/sandbox/chats/${chat().id}/${input.checked ? "block" : "unblock"}`);
        else await post("/sandbox/knobs", {name: input.name, on: input.checked, ...(times && input.checked ? {times: Number(times)} : {})});
      } finally {
        changed(await get("/sandbox/knobs"));
      }
    });
  }
  $("knobs-clear").addEventListener("click", () => post("/sandbox/knobs", {clear: true}));
}
