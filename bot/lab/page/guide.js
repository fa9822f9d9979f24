// The first minute: what this is, and three commands worth trying. A step is ticked by what really happened: an answer
// that came, a guest that runs elsewhere.

import { fill } from "./composer.js";
import { classes, h, icon } from "./dom.js";
import { followGuide } from "./guide_steps.js";
import { describeRole } from "./people.js";
import { me, remember, state, update } from "./store.js";
import { open } from "./sync.js";

// The channel where the bot takes orders; elsewhere it would refuse what the guide suggests.
function findOps() {
  return (state.channels.find((channel) => channel.name === "ops") ?? state.channels[0])?.id ?? null;
}

/** Draws the guide in the channel of the bot, or nothing once it was put away. */
export function drawGuide(channel) {
  if (!state.guide || channel !== findOps()) return null;
  const steps = followGuide();
  if (steps === null) return null;
  const done = steps.filter((step) => step.isDone).length;
  const current = steps.find((step) => !step.isDone) ?? null;
  // Once somebody is under way, the messages need the room.
  const isShort = done > 0 || (state.screens[channel]?.messages.length ?? 0) > 0;
  return h(
    "section",
    { class: classes("guide", isShort && "guide-short", isShort && !state.isGuideUnfolded && "guide-folded", current === null && "guide-over"), key: "guide", "aria-label": "Your first minute" },
    h(
      "header",
      { class: "guide-head" },
      h("h2", {}, "Your first minute"),
      h("span", { class: "guide-count" }, current === null ? "all three done" : `${done} of ${steps.length} done`),
      isShort && h("button", { type: "button", class: "icon-button guide-fold", "aria-expanded": String(state.isGuideUnfolded), "aria-label": "The steps of the guide", onclick: () => update({ isGuideUnfolded: !state.isGuideUnfolded }) }, icon("down")),
      h("button", { type: "button", class: "icon-button guide-close", "aria-label": "Close the guide", title: "Close the guide; the button at the top brings it back", onclick: () => showGuide(false) }, icon("close")),
    ),
    !isShort && drawIntroduction(),
    current !== null && drawRole(),
    h("ol", {}, steps.map((step, index) => drawStep(step, index, step === current, channel))),
    current === null && drawMore(),
  );
}

function drawIntroduction() {
  return h(
    "p",
    {},
    "xenbot looks after virtual machines and takes its orders in a chat: it checks, asks for a confirmation, does it, and says what happened. The datacentre beside this chat shows computers (hosts) and the virtual machines on them (guests); the hosts of one pool can hand guests to one another. Chat and datacentre are simulated; the bot is the real one.",
  );
}

// Who may not change anything is told so before the bot has to.
function drawRole() {
  const person = me();
  if (!person || ["operator", "operator2", "admin"].includes(person.key)) return null;
  return h("p", { class: "guide-role" }, `You act as ${person.name}: ${describeRole(person).toLowerCase()}. To walk through the steps, act as operator.`);
}

function drawStep(step, index, isCurrent, channel) {
  return h(
    "li",
    { key: step.name, class: classes(step.isDone && "step-done", isCurrent && "step-current"), "aria-current": isCurrent ? "step" : null },
    h("span", { class: "step", "aria-hidden": "true" }, step.isDone ? "✓" : String(index + 1)),
    step.isDone && h("span", { class: "unseen" }, "Done: "),
    h(
      "button",
      { type: "button", class: "suggestion", title: "Puts this into the message field", onclick: () => take(channel, step) },
      h("span", { class: "unseen" }, isCurrent ? "Try " : ""),
      `${state.command} ${step.words}`,
    ),
    h("span", { class: "meaning" }, step.says),
    isCurrent && step.now && h("strong", { class: "now" }, step.now),
  );
}

// On a phone the steps make room for the answer.
function take(channel, step) {
  update({ isGuideUnfolded: false });
  fill(channel, `${state.command} ${step.words}`);
}

function drawMore() {
  const look = (dock) => () => update({ dock, tab: "datacentre" });
  return h(
    "p",
    { class: "guide-more" },
    "What to try next: ",
    h("button", { type: "button", class: "link-button", onclick: look("faults") }, "kill the bot in the middle of a move"),
    ", or ",
    h("button", { type: "button", class: "link-button", onclick: look("wire") }, "see the frames and calls behind it"),
    `. ${state.command} help all lists everything.`,
  );
}

/** Opens the guide or puts it away, and remembers that for this browser. */
export function showGuide(isShown) {
  remember("guide", isShown ? "shown" : "hidden", true);
  if (isShown && state.place !== findOps()) open(findOps());
  update({ guide: isShown, tab: isShown ? "chat" : state.tab });
}
