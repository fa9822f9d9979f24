// Lists that grow at their end: whose end is in sight follows it, whoever reads further up is not moved but told. Who has
// just sent or pressed something is brought to what comes of it.

import { h, icon } from "./dom.js";
import { state, update } from "./store.js";

const NEAR_END_PX = 48;
const ANSWER_MS = 10_000;

/** A hook: the end of a list stays in sight when it was in sight, or the first line of a last message that is taller
 *  than the list; a reader further up is not moved. */
export function followEnd(node, isNew) {
  if (isNew) {
    node.atEnd = true;
    node.addEventListener("scroll", () => {
      node.atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < NEAR_END_PX || Math.abs(node.scrollTop - node.placedAt) < 2;
      // Further up the browser holds on to what is being read while something above it grows or shrinks.
      node.style.overflowAnchor = node.atEnd ? "none" : "auto";
      if (node.atEnd) keepUp(node);
    });
    new ResizeObserver(() => node.atEnd && toEnd(node)).observe(node);
  }
  // The list draws its children first, so that what has come is there already.
  const hasCome = node.lastElementChild !== node.lastKnown && node.lastKnown?.isConnected === true;
  if (hasCome && Date.now() < (node.followsUntil ?? 0)) node.atEnd = true;
  if (node.atEnd) toEnd(node);
  else if (hasCome) tellNew(node, true);
  else if (!node.lastKnown?.isConnected) node.lastKnown = node.lastElementChild;
}

function toEnd(node) {
  const last = node.lastElementChild;
  const isTall = last !== null && last.offsetHeight > node.clientHeight;
  node.scrollTop = isTall ? node.scrollTop + last.getBoundingClientRect().top - node.getBoundingClientRect().top : node.scrollHeight;
  node.placedAt = node.scrollTop;
  keepUp(node);
}

function keepUp(node) {
  node.lastKnown = node.lastElementChild;
  tellNew(node, false);
}

function tellNew(node, isBelow) {
  const { place } = node.dataset;
  if (place && Boolean(state.newBelow[place]) !== isBelow) update({ newBelow: { ...state.newBelow, [place]: isBelow } });
}

function listOf(place) {
  return document.querySelector(`.messages[data-place="${CSS.escape(place)}"]`);
}

/** Brings the end of a list into sight, and with it what comes next. */
export function showEnd(place) {
  const node = listOf(place);
  if (!node) return;
  node.atEnd = true;
  toEnd(node);
}

/** Follows what comes within some seconds, wherever one has scrolled to, since it is likely the answer to what was pressed. */
export function expectAnswer() {
  for (const node of document.querySelectorAll(".messages[data-place]")) node.followsUntil = Date.now() + ANSWER_MS;
}

/** Draws the way to what came below while somebody read further up, or nothing. */
export function drawNewBelow(place) {
  const take = () => {
    showEnd(place);
    listOf(place)?.focus({ preventScroll: true });
  };
  return (
    state.newBelow[place] &&
    h("div", { class: "new-below", key: `new-below-${place}` }, h("button", { type: "button", class: "button", onclick: take }, icon("down"), "New messages"))
  );
}
