// Slack's mrkdwn as drawings. Text from people and from the bot ends as text nodes only; a link is a link only with
// a scheme that cannot run anything.

import { fillDate } from "./dates.js";
import { h } from "./dom.js";
import { findEmoji } from "./emoji.js";
import { state } from "./store.js";

const OPENS_AFTER = /[\s([{"'“‘—–\-/.,:;!?|>*_~\u200b]/;
const CLOSES_BEFORE = /[\s)\]}"'”’—–\-/.,:;!?|<*_~\u200b]/;
const STYLES = { "*": "strong", _: "em", "~": "s" };

/** The three entities Slack knows; nothing else is one. */
export function unescapeText(text) {
  return text.replace(/&(amp|lt|gt);/g, (_whole, name) => ({ amp: "&", lt: "<", gt: ">" })[name]);
}

/** Drawings for a mrkdwn text; `verbatim` leaves bare addresses alone. */
export function drawMrkdwn(text, { verbatim = false } = {}) {
  const drawings = [];
  const pieces = text.split(/```([\s\S]+?)```/);
  pieces.forEach((piece, index) => {
    if (index % 2 === 1) drawings.push(h("pre", {}, unescapeText(piece.replace(/^\n/, ""))));
    else {
      // The line breaks around a preformatted part belong to it.
      const from = index > 0 ? piece.replace(/^\n/, "") : piece;
      const lines = index < pieces.length - 1 ? from.replace(/\n$/, "") : from;
      if (lines) drawings.push(...drawLines(lines, verbatim));
    }
  });
  return drawings;
}

function drawLines(text, verbatim) {
  const drawings = [];
  let quoted = [];
  const flushQuote = () => {
    if (quoted.length > 0) drawings.push(h("blockquote", {}, joinLines(quoted, verbatim)));
    quoted = [];
  };
  let plain = [];
  const flushPlain = () => {
    if (plain.length > 0) drawings.push(...joinLines(plain, verbatim));
    plain = [];
  };
  for (const line of text.split("\n")) {
    const quote = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (quote) {
      flushPlain();
      quoted.push(quote[1]);
    } else {
      flushQuote();
      plain.push(line);
    }
  }
  flushQuote();
  flushPlain();
  return drawings;
}

function joinLines(lines, verbatim) {
  return lines.flatMap((line, index) => {
    const drawn = drawInline(line, verbatim);
    return index === 0 ? drawn : [h("br"), ...drawn];
  });
}

/** Drawings for one line. */
export function drawInline(text, verbatim = false) {
  const drawings = [];
  let plain = "";
  let at = 0;
  const add = (drawing, length) => {
    if (plain) drawings.push(unescapeText(plain));
    plain = "";
    drawings.push(drawing);
    at += length;
  };
  while (at < text.length) {
    const rest = text.slice(at);
    const before = at === 0 ? " " : text[at - 1];
    const found = matchAt(rest, before, verbatim);
    if (found) add(found.drawing, found.length);
    else {
      plain += text[at];
      at += 1;
    }
  }
  if (plain) drawings.push(unescapeText(plain));
  return drawings;
}

function matchAt(rest, before, verbatim) {
  const first = rest[0];
  if (first === "`") return matchCode(rest);
  if (first === "<") return matchAngle(rest);
  if (first === ":") return matchEmoji(rest);
  if (STYLES[first] && OPENS_AFTER.test(before)) return matchStyle(rest, first, verbatim);
  if (first === "h" && !verbatim && OPENS_AFTER.test(before)) return matchAddress(rest);
  return null;
}

function matchCode(rest) {
  const match = /^`([^`]+)`/.exec(rest);
  return match && { drawing: h("code", {}, unescapeText(stripAngles(match[1]))), length: match[0].length };
}

// Inside code Slack still resolves what the server made of an address, and shows it plain.
function stripAngles(text) {
  return text.replace(/<(https?:[^|>]+)(?:\|([^>]+))?>/g, (_whole, url, label) => label ?? url);
}

function matchEmoji(rest) {
  const match = /^:([a-z0-9_+-]+):/.exec(rest);
  const character = match && findEmoji(match[1]);
  return character
    ? { drawing: h("span", { role: "img", "aria-label": match[1].replaceAll("_", " ") }, character), length: match[0].length }
    : null;
}

function matchStyle(rest, marker, verbatim) {
  for (let end = 2; end < rest.length; end += 1) {
    if (rest[end] !== marker || /\s/.test(rest[end - 1]) || /\s/.test(rest[1]) || rest[1] === marker) continue;
    if (end + 1 < rest.length && !CLOSES_BEFORE.test(rest[end + 1])) continue;
    const inner = drawInline(rest.slice(1, end), verbatim);
    return { drawing: h(STYLES[marker], {}, inner), length: end + 1 };
  }
  return null;
}

function matchAddress(rest) {
  const match = /^https?:\/\/[^\s<>|]*[^\s<>|.,;:!?)'"]/.exec(rest);
  return match && { drawing: drawLink(unescapeText(match[0]), null), length: match[0].length };
}

function matchAngle(rest) {
  const match = /^<([^<>]+)>/.exec(rest);
  const drawing = match && drawAngle(match[1]);
  return drawing ? { drawing, length: match[0].length } : null;
}

function drawAngle(token) {
  const bar = token.indexOf("|");
  const target = bar < 0 ? token : token.slice(0, bar);
  const label = bar < 0 ? null : unescapeText(token.slice(bar + 1));
  if (/^@[UW]\w+$/.test(target)) return drawUser(target.slice(1), label);
  if (/^#[CG]\w+$/.test(target)) return drawChannel(target.slice(1), label);
  if (target.startsWith("!date^")) return drawDateToken(target, label);
  if (target.startsWith("!subteam^")) return drawGroup(target.slice(9), label);
  if (/^!(here|channel|everyone)$/.test(target)) return drawBroadcast(target.slice(1));
  if (target.startsWith("!")) return h("span", {}, label ?? target);
  return /^(https?|mailto):/i.test(target) ? drawLink(unescapeText(target), label) : null;
}

function drawDateToken(target, label) {
  const [, seconds, format, ...link] = target.split("^");
  const text = fillDate(seconds, unescapeText(format ?? "")) ?? label ?? "";
  const time = h("time", { title: fillDate(seconds, "{date_long} at {time_secs}") }, text);
  return link.length > 0 ? drawLink(unescapeText(link.join("^")), [time]) : time;
}

/** A person's mention, by the name the workplace knows. */
export function drawUser(id, label) {
  const person = state.people.find((one) => one.id === id);
  const name = person?.name ?? (state.bot?.id === id ? state.bot.name : (label ?? id));
  const isMe = person !== undefined && person.key === state.me;
  return h("span", { class: isMe ? "mention mention-me" : "mention" }, `@${name}`);
}

/** A channel's mention. */
export function drawChannel(id, label) {
  const channel = state.channels.find((one) => one.id === id);
  return h("span", { class: "mention" }, `#${channel?.name ?? label ?? id}`);
}

/** A user group's mention. */
export function drawGroup(id, label) {
  const name = state.groups?.[id] ?? label?.replace(/^@/, "") ?? id;
  return h("span", { class: "mention" }, `@${name}`);
}

/** `@here`, `@channel` and `@everyone`, which page people. */
export function drawBroadcast(range) {
  return h("span", { class: "mention mention-all" }, `@${range}`);
}

/** A link; one that could run something stays text. */
export function drawLink(url, label) {
  const text = label ?? url;
  if (!/^(https?|mailto):/i.test(url)) return h("span", {}, text);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer", title: url }, text);
}
