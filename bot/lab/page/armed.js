// The faults that are armed now, on both sides, each with its way out.

import { refreshWorkplace } from "./catalogue.js";
import { give } from "./control_form.js";
import { h } from "./dom.js";
import { state } from "./store.js";

const PAUSE_MS = 1500;
const ACTIONS = { fail: "fails", hold: "waits until released", slow: "is slow", drop: "loses its connection" };
const STREAM_ACTIONS = {
  cut: "is cut",
  fail: "fails inside the stream",
  silence: "falls silent",
  slow: "is slow",
  redirect: "is sent to another address",
  storage_full: "finds the storage full",
  wrong_companion: "has a wrong digest",
  one_zero_block: "ends with one block of zeros",
  end_early: "ends early as if it were whole",
  garbage: "is followed by garbage",
};
const MOMENTS = { before: "before it takes effect", after: "after it took effect", during: "in the middle of its work", end: "at the end of its work" };

let timer = null;

/** Asks Slack's side again while somebody looks or something is armed there: its counts fall as faults strike. */
export function watchArmed(isSeen) {
  const isWanted = isSeen || (state.workplace?.faults ?? []).length > 0;
  if (isWanted === (timer !== null)) return;
  clearInterval(timer);
  timer = isWanted ? setInterval(refreshWorkplace, PAUSE_MS) : null;
}

/** What is armed: [{ door, name, says }]. */
export function armedFaults() {
  const hosts = (state.datacentre?.faults ?? []).map((fault) => ({ door: "datacentre", name: fault.name, says: sayFault(fault) }));
  const slack = (state.workplace?.faults ?? []).map((fault) => ({ door: "slack", name: fault.name, says: saySlackFault(fault) }));
  return [...hosts, ...slack];
}

function sayFault(fault) {
  const where = fault.host ? ` at ${fault.host}` : "";
  if (fault.stream) return `${fault.stream}${where} ${STREAM_ACTIONS[fault.action] ?? fault.action} after ${fault.after} bytes · ${sayLeft(fault.left)}`;
  return `${fault.method}${where} ${ACTIONS[fault.action] ?? fault.action} ${MOMENTS[fault.when] ?? fault.when} · ${sayLeft(fault.left, fault.holding)}`;
}

function saySlackFault(fault) {
  return [fault.method ?? fault.type, String(fault.kind).replaceAll("_", " "), sayLeft(fault.left, fault.holding)].filter(Boolean).join(" · ");
}

function sayLeft(left, holding = 0) {
  if (holding > 0) return `holds ${holding} now`;
  if (left === null || left === undefined || left === "forever") return "every time";
  return left === 1 ? "once" : `${left} more times`;
}

/** Draws the list, or nothing while all is well. */
export function drawArmed() {
  const faults = armedFaults();
  if (faults.length === 0) return null;
  return h(
    "section",
    { key: "armed", class: "fault-group armed", "aria-label": "Armed now" },
    h("h3", {}, "Armed now"),
    h(
      "ul",
      {},
      faults.map(({ door, name, says }) =>
        h(
          "li",
          { key: `${door}/${name}` },
          h("span", { class: "armed-what" }, h("strong", { dir: "auto" }, name), h("span", {}, says)),
          h("button", { type: "button", class: "button button-small", "aria-label": `Release ${name}`, onclick: () => give(door, { do: "release", name }, `Released: ${name}.`) }, "Release"),
        ),
      ),
    ),
  );
}
