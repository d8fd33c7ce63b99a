// The server's clock, as far as its pages tell: the browser's own may be wrong.

let ahead = 0;

// `moment`: what the server's clock showed just now.
export function setBy(moment) {
  ahead = Date.now() - Date.parse(moment);
}

export const now = () => Date.now() - ahead;

setBy(document.body.dataset.now);
