// The panes of the workplace: the list of channels, the open channel or home, and the thread.

import { drawBlocks } from "./blocks.js";
import { drawComposer, isFilled, sayAsked } from "./composer.js";
import { classes, h, icon } from "./dom.js";
import { drawGuide } from "./guide.js";
import { drawMessages } from "./messages.js";
import { drawMrkdwn } from "./mrkdwn.js";
import { viewContext } from "./modal.js";
import { drawAvatar } from "./people.js";
import { rove } from "./rove.js";
import { me, state } from "./store.js";
import { closeThread, open, openThread } from "./sync.js";

function channelTitle(channel) {
  return isDirect(channel) ? (state.bot?.name ?? "xenbot") : `# ${channel.name}`;
}

function isDirect(channel) {
  return channel.is_im === true;
}

/** The list of channels and apps. */
export function drawSidebar() {
  const entry = (place, mark, name, unread) =>
    h(
      "button",
      { key: place, type: "button", class: classes("place", state.place === place && "place-open", unread > 0 && "place-unread"), "aria-current": state.place === place ? "page" : null, "data-rove": true, onclick: () => open(place) },
      mark,
      h("span", {}, name),
      unread > 0 && h("span", { class: "unread" }, String(unread), h("span", { class: "unseen" }, " unread")),
    );
  const hash = h("span", { class: "hash", "aria-hidden": "true" }, "#");
  const app = drawAvatar({ name: "xenbot", tint: "app" }, true);
  const unreadOf = (channel) => (channel.id === state.place ? 0 : Number(channel.unread ?? 0));
  const direct = state.channels.filter(isDirect);
  return h(
    "nav",
    { class: "sidebar", "aria-label": "Channels", hook: rove },
    h("h2", {}, "Channels"),
    state.channels.filter((channel) => !isDirect(channel)).map((channel) => entry(channel.id, hash, channel.name, unreadOf(channel))),
    h("h2", {}, "Apps"),
    entry("home", app, `${state.bot?.name ?? "xenbot"} home`, 0),
    direct.map((channel) => entry(channel.id, app, `${channelTitle(channel)} messages`, unreadOf(channel))),
  );
}

/** The open channel with its composer, or the app's home. */
export function drawMain() {
  if (state.place === "home") return drawHome();
  const channel = state.channels.find((one) => one.id === state.place);
  if (!channel) return h("section", { class: "channel", key: "empty", "aria-label": "Channel" }, h("p", { class: "waiting" }, state.people.length > 0 ? "This person is in no channel." : "Opening the lab…"));
  const screen = state.screens[channel.id];
  const isWaiting = Object.keys(state.busy).includes(`command-${channel.id}`);
  return h(
    "section",
    { class: "channel", key: "channel", "aria-label": `Channel ${channelTitle(channel)}` },
    h("header", { class: "pane-head" }, h("h1", {}, channelTitle(channel)), channel.topic && h("p", { class: "topic" }, drawMrkdwn(channel.topic))),
    drawGuide(channel.id),
    drawMessages(screen?.messages ?? [], {
      channel: channel.id,
      pane: "main",
      place: `${state.me}/${channel.id}`,
      label: `Messages in ${channel.name}`,
      notices: noticesOf(screen, channel.id),
      openThread,
      readTo: state.newFrom[channel.id],
      readBy: me()?.id,
    }),
    screen && screen.messages.length + noticesOf(screen, channel.id).length === 0 && h("p", { class: "quiet" }, "Nothing was said here yet."),
    h("p", { class: classes("waiting-line", isWaiting && "waiting-busy", isFilled(channel.id) && "waiting-you"), "aria-live": "polite" }, sayAsked(channel.id)),
    drawComposer(channel.id, null, `Message ${isDirect(channel) ? channelTitle(channel) : `#${channel.name}`}, or ${state.command} for a command`),
  );
}

function noticesOf(screen, channel) {
  // A control and a view show their own failure where it happened.
  const notices = (screen?.notices ?? []).filter((notice) => !/^(control|view)_failed$/.test(notice.kind));
  return notices.filter((notice) => !notice.channel || notice.channel === channel);
}

function drawHome() {
  const view = state.home;
  return h(
    "section",
    { class: "channel", key: "home", "aria-label": "The app" },
    h("header", { class: "pane-head" }, h("h1", {}, `${state.bot?.name ?? "xenbot"} home`)),
    h(
      "div",
      { class: "messages home", tabindex: "0", role: "region", "aria-label": "Home of the app" },
      view ? h("div", { class: "blocks", key: view.id }, drawBlocks(view.blocks ?? [], viewContext(view))) : h("p", { class: "waiting" }, "The app has not published a home for you yet."),
    ),
  );
}

// Whoever opens a thread wants to read it or to reply; on a touch screen a field with focus would bring up the keyboard.
function takeFocus(node, isNew) {
  if (isNew) queueMicrotask(() => (matchMedia("(hover: hover)").matches ? (node.querySelector("textarea") ?? node) : node).focus());
}

// The message that the thread belongs to gets the focus back.
function leaveThread(thread) {
  closeThread();
  document.querySelector(`.channel [data-ts="${CSS.escape(thread.ts)}"]`)?.focus({ preventScroll: true });
}

/** The thread pane, or nothing. */
export function drawThread() {
  const { thread } = state;
  if (!thread) return null;
  const channel = state.channels.find((one) => one.id === thread.channel);
  return h(
    "aside",
    { class: "thread", key: "thread", "aria-label": "Thread", tabindex: "-1", hook: takeFocus, onkeydown: (event) => event.key === "Escape" && state.menu === null && !event.defaultPrevented && leaveThread(thread) },
    h(
      "header",
      { class: "pane-head" },
      h("h1", {}, "Thread"),
      h("p", { class: "topic" }, channel ? channelTitle(channel) : ""),
      h("button", { type: "button", class: "icon-button", "aria-label": "Close the thread", onclick: () => leaveThread(thread) }, icon("close")),
    ),
    drawMessages(state.threadMessages, { channel: thread.channel, pane: "thread", place: `${state.me}/${thread.ts}`, label: "Messages in the thread" }),
    drawComposer(thread.channel, thread.ts, "Reply…"),
  );
}
