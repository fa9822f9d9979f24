// The list of messages of a channel or a thread. Every message is one keyed node, so that an edit changes only what
// changed; the list follows new messages only while its end is in sight (follow.js).

import { use } from "./actions.js";
import { drawContent } from "./blocks.js";
import { dayHeading, messageTime } from "./dates.js";
import { classes, h, icon } from "./dom.js";
import { isLookedInto } from "./files.js";
import { drawNewBelow, followEnd } from "./follow.js";
import { collect, enter, entered } from "./form.js";
import { drawMrkdwn } from "./mrkdwn.js";
import { authorOf, drawAvatar } from "./people.js";
import { state } from "./store.js";

const SAME_BREATH_S = 300;

/** Draws messages, oldest first. `options`: channel, pane ("main" | "thread"), openThread(ts), notices, and readTo: the
 *  ts above which the messages of others than readBy are new. */
export function drawMessages(messages, options) {
  const drawings = [];
  let before = null;
  let day = null;
  let isMarked = false;
  for (const message of interleave(messages, options.notices ?? [])) {
    if (message.notice) {
      drawings.push(drawNotice(message.notice));
      before = null;
      continue;
    }
    const isNewDay = day !== dayHeading(message.ts);
    day = dayHeading(message.ts);
    if (isNewDay && options.pane === "main") {
      drawings.push(h("div", { class: "day", key: `day-${day}`, role: "separator", "aria-label": day }, h("span", {}, day)));
    }
    const isFirstNew = !isMarked && options.readTo !== undefined && message.ts > options.readTo && message.user !== options.readBy;
    if (isFirstNew) drawings.push(h("div", { class: "day day-new", key: "new", role: "separator", "aria-label": "New messages" }, h("span", {}, "New")));
    isMarked ||= isFirstNew;
    drawings.push(drawMessage(message, !isNewDay && !isFirstNew && isContinued(before, message), options));
    before = message;
  }
  const list = h("div", { key: options.place, class: "messages", role: "log", "aria-label": options.label, "aria-live": "polite", "aria-relevant": "additions", tabindex: "0", "data-place": options.place, hook: followEnd, onkeydown: walk }, drawings);
  return [list, drawNewBelow(options.place)];
}

// Up and down walk from message to message, Enter opens the thread of one.
function walk(event) {
  const list = event.currentTarget;
  const messages = [...list.querySelectorAll(".message")];
  const at = messages.indexOf(event.target);
  if (at < 0 && event.target !== list) return;
  if (event.key === "Enter") messages[at]?.querySelector(".message-tools button")?.click();
  const to = { ArrowUp: at < 0 ? messages.length - 1 : at - 1, ArrowDown: at < 0 ? messages.length - 1 : at + 1, Home: 0, End: messages.length - 1 }[event.key];
  if (to === undefined || !messages[to]) return;
  event.preventDefault();
  messages[to].focus();
}

// A notice has no ts, but it stands where it came: after what was said before it.
function interleave(messages, notices) {
  const timed = messages.map((message) => [Number.parseFloat(message.ts), message]);
  for (const notice of notices) timed.push([Number(notice.at), { notice }]);
  return timed.sort(([one], [other]) => one - other).map(([, entry]) => entry);
}

function isContinued(before, message) {
  return (
    before !== null &&
    before.user === message.user &&
    before.username === message.username &&
    Boolean(before.is_ephemeral) === Boolean(message.is_ephemeral) &&
    !message.is_ephemeral &&
    !before.reply_count &&
    (message.blocks ?? []).every((block) => block.type === "rich_text") &&
    Number.parseFloat(message.ts) - Number.parseFloat(before.ts) < SAME_BREATH_S
  );
}

// How the elements of a message behave.
function messageContext(message, channel, pane) {
  const name = `${pane}:${channel}/${message.ts}`;
  const context = { name, where: { channel, message_ts: message.ts } };
  context.values = () => collect({ id: name, blocks: message.blocks });
  context.typed = (blockId, element, chosen) => enter(name, blockId, element, chosen);
  context.chosen = (blockId, element) => entered(name, blockId, element)?.selected_option;
  context.chosenValue = (blockId, element, field) => entered(name, blockId, element)?.[field];
  context.chose = (blockId, element, chosen) => {
    enter(name, blockId, element, chosen);
    use(context, blockId, element, chosen);
  };
  return context;
}

function drawMessage(message, isContinuation, options) {
  const context = messageContext(message, options.channel, options.pane);
  const author = authorOf(message);
  const [clock, exact] = messageTime(message.ts);
  const marks = Object.entries(state.busy).filter(([name]) => name.startsWith(context.name));
  // A message with an open menu is drawn each time: its options may have arrived.
  const isOpen = state.menu?.startsWith(context.name);
  const memo = isOpen ? {} : JSON.stringify([message, isContinuation, marks, state.me, state.people.length, (message.files ?? []).map(isLookedInto), options.pane === "main" && state.thread?.ts === message.ts]);
  const withReplies = options.pane === "main" && message.reply_count > 0;
  return h(
    "article",
    { key: message.ts, "data-ts": message.ts, memo, class: classes("message", isContinuation && "message-continued", message.is_ephemeral && "message-ephemeral"), "aria-label": `${author.name}, ${clock}`, tabindex: "-1" },
    isContinuation ? h("span", { class: "gutter", "aria-hidden": "true" }, clock) : drawAvatar(author),
    h(
      "div",
      { class: "message-main" },
      message.is_ephemeral && h("p", { class: "only-you" }, icon("eye"), "Only visible to you"),
      !isContinuation &&
        h("p", { class: "byline" }, h("strong", { dir: "auto" }, author.name), author.isApp && h("span", { class: "badge" }, "APP"), h("time", { title: exact }, clock)),
      drawContent(message, context),
      message.edited && !author.isApp && h("small", { class: "edited" }, "(edited)"),
      (message.reactions ?? []).map((reaction) => h("span", { class: "reaction", key: `reaction-${reaction.name}` }, drawMrkdwn(`:${reaction.name}:`), ` ${reaction.count}`)),
      withReplies && drawReplies(message, options),
    ),
    options.openThread &&
      !message.is_ephemeral &&
      h("div", { class: "message-tools" }, h("button", { type: "button", class: "icon-button", "aria-label": `Reply in thread to ${author.name}, ${clock}`, title: "Reply in thread", onclick: () => options.openThread(message.thread_ts ?? message.ts) }, icon("thread"))),
  );
}

// Replies that came since this person first saw the thread, or last had it open, are news.
function hasNews(message, options) {
  const seen = (state.threads[`${options.place}/${message.ts}`] ??= message.latest_reply);
  const isOpen = state.thread?.ts === message.ts;
  if (isOpen) state.threads[`${options.place}/${message.ts}`] = message.latest_reply;
  return !isOpen && message.latest_reply > seen;
}

function drawReplies(message, options) {
  const isNew = hasNews(message, options);
  const count = message.reply_count;
  const latest = message.latest_reply ? messageTime(message.latest_reply)[0] : null;
  return h(
    "button",
    { type: "button", class: classes("replies", isNew && "replies-new"), onclick: () => options.openThread(message.ts) },
    icon("thread"),
    h("strong", {}, `${count} ${count === 1 ? "reply" : "replies"}`),
    latest && h("span", {}, `last at ${latest}`),
    isNew && h("span", { class: "unread" }, "new"),
  );
}

function drawNotice(notice) {
  return h(
    "article",
    { key: `notice-${notice.at}`, class: "message message-ephemeral message-notice", tabindex: "-1" },
    h("span", { class: "avatar tint-system", "data-initials": "!", "aria-hidden": "true" }),
    h("div", { class: "message-main" }, h("p", { class: "only-you" }, icon("eye"), "Only visible to you"), h("p", { class: "byline" }, h("strong", {}, "Slackbot")), h("div", { class: "text" }, notice.text)),
  );
}
