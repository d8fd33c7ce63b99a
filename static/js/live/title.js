// The count before the page's title, for who looks at another tab.

let unlookedAt = 0; // came to the open ticket while nobody looked

export function countUnlookedAt(number) {
  if (document.hidden) unlookedAt += number;
  showTitle();
}

// «(3) …»: unread in the list beside, and what came to the open ticket while the page was not looked at.
export function showTitle() {
  const counts = [...document.querySelectorAll("#queue-list .row .count")].map((count) => Number(count.textContent));
  const total = Math.max(counts.reduce((sum, count) => sum + count, 0), unlookedAt);
  const plain = document.title.replace(/^\(\d+\) /, "");
  document.title = total ? `(${total}) ${plain}` : plain;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unlookedAt = 0;
  showTitle();
});
