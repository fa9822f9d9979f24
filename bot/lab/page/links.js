// Permalinks: `/archives/C…/p…` in a message, and `#C…/ts[/thread]` in the address, both lead to the message itself.

import { state } from "./store.js";
import { open, openThread, refresh } from "./sync.js";

const SHOWN_MS = 2500;

/** Where a permalink leads: { channel, ts, thread }, or null for any other address. */
export function readPermalink(address) {
  const url = new URL(address, location.href);
  const match = /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(url.pathname);
  if (url.origin !== location.origin || !match) return null;
  return { channel: match[1], ts: `${match[2]}.${match[3]}`, thread: url.searchParams.get("thread_ts") };
}

/** Where the address of the page leads, or null. */
export function readHash() {
  const match = /^#(\w+)\/(\d+\.\d+)(?:\/(\d+\.\d+))?$/.exec(location.hash);
  return match && { channel: match[1], ts: match[2], thread: match[3] ?? null };
}

/** Opens the channel and the thread of a message and shows it. */
export async function follow(place) {
  if (!state.channels.some((channel) => channel.id === place.channel)) return;
  if (state.place !== place.channel) open(place.channel);
  if (place.thread && place.thread !== place.ts) openThread(place.thread);
  await refresh();
  requestAnimationFrame(() => requestAnimationFrame(() => show(place.ts)));
}

function show(ts) {
  const message = document.querySelector(`[data-ts="${CSS.escape(ts)}"]`);
  if (!message) return;
  message.scrollIntoView({ block: "center" });
  // The list hears of it in the next frame: drawn before that, it would go on following its end.
  message.closest(".messages")?.dispatchEvent(new Event("scroll"));
  message.dataset.shown = "";
  setTimeout(() => delete message.dataset.shown, SHOWN_MS);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const place = link && readPermalink(link.href);
  if (!place || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  void follow(place);
});
