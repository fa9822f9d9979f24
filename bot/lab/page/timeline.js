// The timeline of what crossed the wire: filters, a search, and the details of each entry.

import { classes, h, icon } from "./dom.js";
import { followEnd } from "./follow.js";
import { rove } from "./rove.js";
import { update } from "./store.js";
import { clearWire, watchWire, wireEntries } from "./wire.js";

const SHOWN = 250;
const KINDS = [
  ["slack", "Slack", "Frames and requests between Slack and the bot"],
  ["change", "XAPI changes", "Calls to the hosts that may change something"],
  ["look", "XAPI reads", "Calls to the hosts that only look"],
  ["person", "People", "What people do on this page"],
  ["fault", "Faults", "What was broken on purpose, and warnings"],
];
const view = { hidden: new Set(["look", "person"]), words: "", open: new Set(), held: null };

/** Draws the timeline and begins to follow the wire. */
export function drawTimeline() {
  watchWire(true);
  const entries = (view.held ?? wireEntries()).filter(isWanted);
  const shown = entries.slice(-SHOWN);
  return [
    drawFilters(),
    h(
      "div",
      { class: "wire", role: "log", "aria-live": "off", "aria-label": "What crossed the wire, oldest first", tabindex: shown.length === 0 ? "0" : null, hook: (node, isNew) => (followEnd(node, isNew), rove(node, isNew)) },
      entries.length > shown.length && h("p", { class: "empty", key: "older" }, `${entries.length - shown.length} older ones are not shown.`),
      shown.length === 0 && h("p", { class: "empty", key: "none" }, wireEntries().length === 0 ? "Nothing yet. Ask the bot something." : "Nothing of this kind."),
      shown.map(drawEntry),
    ),
  ];
}

function isWanted(entry) {
  if (view.hidden.has(entry.kind)) return false;
  return view.words === "" || JSON.stringify([entry.what, entry.note, entry.from, entry.to, entry.detail]).toLowerCase().includes(view.words.toLowerCase());
}

function drawFilters() {
  const toggle = (kind) => () => {
    if (!view.hidden.delete(kind)) view.hidden.add(kind);
    update({});
  };
  const hold = () => {
    view.held = view.held === null ? wireEntries() : null;
    update({});
  };
  return h(
    "div",
    { class: "wire-filters", role: "group", "aria-label": "What is shown" },
    KINDS.map(([kind, text, meaning]) => h("button", { key: kind, type: "button", class: classes("chip", `chip-${kind}`), "aria-pressed": String(!view.hidden.has(kind)), title: meaning, onclick: toggle(kind) }, text)),
    h("input", { type: "search", class: "field", placeholder: "Find", "aria-label": "Find in the wire", value: view.words, oninput: (event) => ((view.words = event.target.value), update({})) }),
    h("button", { type: "button", class: "button button-small",  "aria-pressed": String(view.held !== null), title: "Nothing moves in this list while you read; the lab goes on", onclick: hold }, view.held === null ? "Hold the list" : "List held"),
    h("button", { type: "button", class: "button button-small", onclick: () => (view.open.clear(), (view.held = null), clearWire()) }, "Clear"),
  );
}

function drawEntry(entry) {
  const isOpen = view.open.has(entry.key);
  const toggle = () => {
    if (!view.open.delete(entry.key)) view.open.add(entry.key);
    update({});
  };
  const time = new Date(entry.at * 1000);
  const clock = `${time.toLocaleTimeString("en-GB")}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  return h(
    "div",
    { key: entry.key, class: classes("entry", `entry-${entry.kind}`, entry.isBad && "entry-bad"), memo: `${entry.key}${isOpen}` },
    h(
      "button",
      { type: "button", class: "entry-line", "data-rove": true, "aria-expanded": String(isOpen), onclick: toggle },
      h("time", {}, clock),
      h("span", { class: "way" }, entry.from && h("span", {}, entry.from), h("span", { class: "unseen" }, " to "), h("span", { class: "arrow", "aria-hidden": "true" }, "→"), h("span", {}, entry.to)),
      h("span", { class: "what" }, h("strong", {}, entry.what), entry.note && ` ${entry.note}`),
      icon("down"),
    ),
    isOpen && h("pre", { tabindex: "0" }, JSON.stringify(entry.detail, null, 2)),
  );
}
