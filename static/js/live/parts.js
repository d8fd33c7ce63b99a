// Parts of the page, fetched through their ordinary views, which ask for rights again.

export const words = document.getElementById("words").dataset;
export const byId = (id) => document.getElementById(id);
export const sheet = () => document.querySelector(".ticket[data-ticket]");

const plural = new Intl.PluralRules(document.documentElement.lang);

// The words come with a sample number in each plural form; the number is put in here.
export function counted(name, number) {
  const forms = { one: "One", few: "Few", many: "Many", other: "Many" };
  return words[name + forms[plural.select(number)]].replace(/\d+/, number);
}

export class NotGot extends Error {
  constructor(status) {
    super(`answered with ${status}`);
    this.status = status;
  }
}

// The part's HTML; nothing where the page has it already.
export async function part(address) {
  const headers = { "HX-Request": "true", "HX-Current-URL": location.href, "X-Unattended": "1" };
  const cutOff = () => { throw new NotGot(0); };
  const answer = await fetch(address, { headers, cache: "no-store" }).catch(cutOff);
  if (!answer.ok) throw new NotGot(answer.status);
  return answer.text().catch(cutOff);
}

export function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

export function morph(target, text) {
  return htmx.swap({ sourceElement: document.body, target, text, swap: "outerMorph" });
}

// Many knocks, one answer: while a fetch is under way, one more is remembered, and only one.
export function once(work) {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await work();
      }
    } catch (error) {
      if (!(error instanceof NotGot)) throw error;
      // The next change, or the next "on", asks again.
    } finally {
      running = false;
    }
  };
}
