// A reply that did not simply arrive, told to its writer who has left the ticket.

import { sheet, words } from "./parts.js";

const untold = new Set(); // tickets, until somebody looks at this page

function tell(ticket) {
  // The open ticket shows it by itself.
  if (sheet()?.dataset.ticket === ticket) return;
  const detail = { text: words.trouble.replace("0", ticket), ticket };
  document.body.dispatchEvent(new CustomEvent("desk:toast", { detail }));
}

export function hearTrouble(change) {
  const ticket = String(change.ticket);
  if (document.hidden) untold.add(ticket);
  else tell(ticket);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  untold.forEach(tell);
  untold.clear();
});
