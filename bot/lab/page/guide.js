// The first minute: what this is, and three commands worth trying.

import { fill } from "./composer.js";
import { classes, h, icon } from "./dom.js";
import { remember, state, update } from "./store.js";

const STEPS = [
  ["status", "See how every pool is doing. Nothing changes."],
  ["migrate centos54 to xenserver3", "Confirm the card, and watch the guest move to another host while it runs."],
  ["migrate web-local to xenserver3", "Its disk is on one host only, so xenbot refuses and says what to do instead."],
];

/** Draws the guide, or nothing once it was put away. */
export function drawGuide(channel) {
  if (!state.guide) return null;
  // Once a person is under way, the messages need the room.
  const isShort = Object.keys(state.tried).length > 0;
  return h(
    "section",
    { class: classes("guide", isShort && "guide-short"), key: "guide", "aria-label": "Your first minute" },
    h("h2", {}, "Your first minute"),
    !isShort && h("p", {}, "xenbot changes virtual machines when people ask for it in chat: it checks first, asks for a confirmation, and shows what happened. The chat and the datacentre on this page are simulated; the bot is the real one."),
    h(
      "ol",
      {},
      STEPS.map(([words, meaning], index) =>
        h(
          "li",
          { key: words, class: classes(state.tried[words] && "tried") },
          h("span", { class: "step", "aria-hidden": "true" }, state.tried[words] ? "✓" : String(index + 1)),
          h(
            "button",
            {
              type: "button",
              class: "suggestion",
              onclick: () => {
                update({ tried: { ...state.tried, [words]: true } });
                fill(channel, `${state.command} ${words}`);
              },
            },
            `${state.command} ${words}`,
          ),
          h("span", { class: "meaning" }, meaning),
        ),
      ),
    ),
    !isShort && h("p", { class: "guide-foot" }, "A click puts the command into the message field; press Enter to send it."),
    h("button", { type: "button", class: "icon-button guide-close", "aria-label": "Close the guide", onclick: () => showGuide(false) }, icon("close")),
  );
}

/** Opens the guide or puts it away, and remembers that for this browser. */
export function showGuide(isShown) {
  remember("guide", isShown ? "shown" : "hidden", true);
  update({ guide: isShown });
}
