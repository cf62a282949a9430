/** Tells somebody who looks elsewhere that something came: a number in the title, no sound, no word of what it is. */
const TITLE = document.title;
let count = 0;

const isLookedAt = () => !document.hidden && document.hasFocus();

export function notice(news: number): void {
  if (news === 0 || isLookedAt()) return;
  count += news;
  document.title = `(${count}) ${TITLE}`;
}

export function forgetNotices(): void {
  if (count === 0) return;
  count = 0;
  document.title = TITLE;
}

globalThis.addEventListener("focus", forgetNotices);
document.addEventListener("visibilitychange", () => isLookedAt() && forgetNotices());
