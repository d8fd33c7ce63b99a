// Words written for tickets that have been lost since: no page has a field for them any more, and only this browser
// has them. They are offered above every page until their writer has done with them, or the ticket is back.

import { button, element, icon } from "./elements.js";

const words = document.getElementById("words").dataset;
const prefix = `draft ${document.body.dataset.user} `;

function stored() {
  try {
    return Object.keys(localStorage);
  } catch {
    return []; // forbidden
  }
}

// What this browser keeps for tickets other than the open one: [ticket, key, draft] of each.
export function keptElsewhere() {
  const open = document.querySelector(".ticket")?.dataset.ticket;
  return stored()
    .filter((key) => key.startsWith(prefix) && key !== prefix + open)
    .map((key) => [key.slice(prefix.length), key, JSON.parse(localStorage.getItem(key))]);
}

export function markLost(key, draft) {
  const kept = localStorage.getItem(key);
  if (!draft.text.trim() || (kept && kept !== JSON.stringify(draft))) return;
  localStorage.setItem(key, JSON.stringify({ ...draft, lost: true }));
  showLost();
}

function banner([ticket, key, { text }]) {
  const told = element("p", "", icon("i-alert"), element("span", "", words.lost.replace("0", ticket)));
  const shown = element("details", "", element("summary", "btn link", words.showLost), element("p", "", text));
  const remove = button("btn link", words.removeLost, () => {
    localStorage.removeItem(key);
    showLost();
  });
  return element("div", "banner soft", told, shown, remove);
}

export function showLost() {
  const lost = keptElsewhere().filter(([, , draft]) => draft.lost);
  const place = document.getElementById("lost");
  const shown = JSON.stringify(lost);
  if (place.dataset.shown === shown) return; // open as they are, and not to be read out again
  place.dataset.shown = shown;
  place.replaceChildren(...lost.map(banner));
}

document.body.addEventListener("desk:ticket", showLost);
addEventListener("storage", showLost);
showLost();
