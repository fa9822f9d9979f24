// The page of the lab: a workplace on the left, a datacentre on the right, and one state that both are drawn from.

import { drawDatacentre } from "./datacentre.js";
import { drawDock } from "./dock.js";
import { classes, h, icon, render } from "./dom.js";
import { drawBotState } from "./faults.js";
import { showGuide } from "./guide.js";
import { follow as goTo, readHash } from "./links.js";
import { drawModals } from "./modal.js";
import { drawWithMotion } from "./motion.js";
import { drawMain, drawSidebar, drawThread } from "./panes.js";
import { drawSwitch } from "./people.js";
import { onChange, state, update } from "./store.js";
import { actAs, begin } from "./sync.js";

const TOAST_MS = 8000;
const roots = Object.fromEntries(["top", "workplace", "datacentre", "tabs", "modals", "toast", "status"].map((id) => [id, document.getElementById(id)]));

function drawTop() {
  return [
    h("span", { class: "brand" }, h("span", { class: "avatar avatar-small tint-app", "data-initials": "xb", "aria-hidden": "true" }), h("strong", {}, "xenbot lab")),
    drawBotState(),
    state.connected === false && state.me !== null && h("span", { class: "bot-state bot-down", role: "status" }, h("i", { class: "lamp lamp-bad" }), "the lab does not answer"),
    h("span", { class: "spring" }),
    !state.guide && h("button", { type: "button", class: "button button-small", onclick: () => showGuide(true) }, "Guide"),
    drawSwitch(actAs),
  ];
}

function drawPanel() {
  const count = state.datacentre?.guests.length ?? 0;
  return [
    h(
      "div",
      { class: "datacentre-scroll", key: "scroll", tabindex: "0", role: "region", "aria-label": "Pools, hosts and guests" },
      h("header", { class: "pane-head" }, h("h1", {}, "Datacentre"), h("p", { class: "topic" }, count > 0 ? `${count} guests (virtual machines). A guest can move between the hosts of one pool while it runs.` : "")),
      drawDatacentre(),
    ),
    drawDock(),
  ];
}

// On a phone one pane is seen at a time.
function drawTabs() {
  const moving = (state.datacentre?.guests ?? []).filter((guest) => guest.operation).length;
  const unread = state.channels.some((channel) => channel.id !== state.place && Number(channel.unread ?? 0) > 0);
  const tab = (name, text, note) =>
    h("button", { key: name, type: "button", "aria-current": state.tab === name ? "page" : null, onclick: () => update({ tab: name }) }, text, note && h("span", { class: "tab-note" }, note));
  return [tab("chat", "Chat", unread && "new"), state.thread && tab("thread", "Thread"), tab("datacentre", "Datacentre", moving > 0 && `${moving} busy`)];
}

function drawToast() {
  return (
    state.toast &&
    h("div", { class: "toast", role: "status" }, h("span", {}, state.toast), h("button", { type: "button", class: "icon-button", "aria-label": "Close this notice", onclick: () => update({ toast: null }) }, icon("close")))
  );
}

let shownToast = null;
function hideToastLater() {
  if (state.toast === shownToast) return;
  shownToast = state.toast;
  const mine = state.toast;
  setTimeout(() => state.toast === mine && update({ toast: null }), TOAST_MS);
}

function draw() {
  hideToastLater();
  document.body.className = classes(`tab-${state.tab}`, state.thread && "with-thread");
  render(roots.top, drawTop());
  render(roots.workplace, drawSidebar(), drawMain(), drawThread());
  drawWithMotion(roots.datacentre, () => render(roots.datacentre, drawPanel()));
  render(roots.tabs, drawTabs());
  render(roots.modals, drawModals());
  render(roots.toast, drawToast());
  render(roots.status, state.status);
}

// A menu closes when one clicks elsewhere or presses Escape; a list box closes itself.
document.addEventListener("click", (event) => {
  if (state.menu !== null && !event.target.closest(".menu, .guest-card, [aria-haspopup], .combobox")) update({ menu: null });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || state.menu === null) return;
  const opener = document.querySelector('[aria-haspopup][aria-expanded="true"]');
  update({ menu: null });
  opener?.focus();
});

onChange(draw);
begin().then(() => {
  const place = readHash();
  if (place) void goTo(place);
}).catch(() => update({ toast: "The lab does not answer. Is it still running? Load the page again." }));
