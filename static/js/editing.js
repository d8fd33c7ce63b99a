// A reply opened for editing. Its new words are in its field alone: they stay while one looks at other tickets.

const away = new Set(); // forms of tickets that have been left

const isChanged = (form) => form.querySelector("textarea").value !== form.querySelector("textarea").defaultValue;
const changed = () => [...document.querySelectorAll(".msg-edit")].filter(isChanged);

export const hasEdits = () => away.size > 0 || changed().length > 0;

const leavesTicket = ({ target }) => ["#ticket", document.getElementById("ticket"), document.body].includes(target);

document.addEventListener("htmx:before:swap", (event) => {
  if (!event.defaultPrevented && event.detail.tasks.some(leavesTicket)) changed().forEach((form) => away.add(form));
});

// Saved after all: its ticket was left before the answer came.
document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  if (ctx.response?.status < 400) away.delete(ctx.sourceElement);
});

function bringBack(form) {
  const line = document.getElementById(form.querySelector("textarea").id.replace("edit-", "m"))?.closest(".msg");
  if (!line) return;
  // htmx has had done with the form itself; its copy is new to it.
  line.querySelector(":scope > :is(.stack, .msg-edit)").replaceWith(form.cloneNode(true));
  htmx.process(line);
  away.delete(form);
}

document.body.addEventListener("desk:ticket", () => away.forEach(bringBack));
