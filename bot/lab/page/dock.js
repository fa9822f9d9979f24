// What stands below the datacentre on demand: the hands that break things, and the timeline of the wire.

import { watchArmed } from "./armed.js";
import { classes, h, icon } from "./dom.js";
import { countArmed, drawFaults } from "./faults.js";
import { state, update } from "./store.js";
import { drawTimeline } from "./timeline.js";
import { watchWire } from "./wire.js";

const PANELS = [
  ["faults", "What goes wrong", "Break something and watch"],
  ["wire", "What crossed the wire", "To and from the bot, call by call"],
];

/** Draws the bar with both names, and the one that is open. */
export function drawDock() {
  if (!state.datacentre) return null;
  if (state.dock !== "wire") watchWire(false);
  watchArmed(state.dock === "faults");
  const armed = countArmed();
  return h(
    "div",
    { class: classes("dock", state.dock && "dock-open"), key: "dock", onkeydown: closeOnEscape },
    h(
      "div",
      { class: "dock-bar" },
      PANELS.map(([name, text, meaning]) =>
        h(
          "button",
          { key: name, type: "button", class: "dock-tab", "aria-expanded": String(state.dock === name), "aria-controls": state.dock === name ? "dock-panel" : null, title: meaning, onclick: () => update({ dock: state.dock === name ? null : name }) },
          text,
          name === "faults" && armed > 0 && h("span", { class: "armed-count" }, String(armed), h("span", { class: "unseen" }, " armed")),
        ),
      ),
      state.dock && h("button", { key: "close", type: "button", class: "icon-button", "aria-label": "Close this panel", onclick: close }, icon("close")),
    ),
    state.dock && h("section", { id: "dock-panel", key: state.dock, class: `dock-panel dock-${state.dock}`, "aria-label": PANELS.find(([name]) => name === state.dock)[1] }, state.dock === "faults" ? drawFaults() : drawTimeline()),
  );
}

function close() {
  const name = state.dock;
  update({ dock: null });
  const at = PANELS.findIndex(([one]) => one === name);
  document.querySelectorAll(".dock-tab")[at]?.focus();
}

function closeOnEscape(event) {
  if (event.key !== "Escape" || !state.dock || state.menu !== null || event.defaultPrevented) return;
  event.preventDefault();
  close();
}
