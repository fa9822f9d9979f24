// rich_text blocks as drawings: exact runs of text with styles, lists, quotes and preformatted parts.

import { fillDate } from "./dates.js";
import { h } from "./dom.js";
import { findEmoji } from "./emoji.js";
import { drawBroadcast, drawChannel, drawGroup, drawLink, drawUser } from "./mrkdwn.js";

/** Drawings for a rich_text block. */
export function drawRichText(block) {
  return h("div", { class: "rich" }, (block.elements ?? []).map(drawElement));
}

function drawElement(element) {
  const runs = (element.elements ?? []).map(drawRun);
  switch (element.type) {
    case "rich_text_section":
      return h("p", {}, runs);
    case "rich_text_preformatted":
      return h("pre", {}, runs);
    case "rich_text_quote":
      return h("blockquote", {}, runs);
    case "rich_text_list":
      return h(
        element.style === "ordered" ? "ol" : "ul",
        { class: `indent-${Math.min(element.indent ?? 0, 5)}`, start: element.offset ? element.offset + 1 : null },
        (element.elements ?? []).map((item) => h("li", {}, (item.elements ?? []).map(drawRun))),
      );
    default:
      return null;
  }
}

/** The drawing of one run; its text is literal, whatever it looks like. */
export function drawRun(run) {
  return dress(drawBare(run), run.style ?? {});
}

function drawBare(run) {
  switch (run.type) {
    case "text":
      return breakLines(run.text ?? "");
    case "link":
      return drawLink(run.url ?? "", run.text ?? null);
    case "user":
      return drawUser(run.user_id, null);
    case "channel":
      return drawChannel(run.channel_id, null);
    case "usergroup":
      return drawGroup(run.usergroup_id, null);
    case "broadcast":
      return drawBroadcast(run.range);
    case "emoji":
      return drawEmojiRun(run);
    case "date":
      return h("time", {}, fillDate(run.timestamp, run.format ?? "") ?? run.fallback ?? "");
    case "color":
      return h("span", {}, run.value);
    default:
      return run.text ?? "";
  }
}

function drawEmojiRun(run) {
  const character = findEmoji(run.name ?? "") ?? fromCodePoints(run.unicode);
  return character ? h("span", { role: "img", "aria-label": run.name }, character) : `:${run.name}:`;
}

function fromCodePoints(unicode) {
  const points = (unicode ?? "").split("-").map((hex) => Number.parseInt(hex, 16));
  const isText = points.every((point) => Number.isInteger(point) && point >= 0 && point <= 0x10ffff);
  return isText ? String.fromCodePoint(...points) : null;
}

function breakLines(text) {
  return text.split("\n").flatMap((line, index) => (index === 0 ? [line] : [h("br"), line]));
}

function dress(drawn, style) {
  let drawing = drawn;
  for (const [name, tag] of [["code", "code"], ["underline", "u"], ["strike", "s"], ["italic", "em"], ["bold", "strong"]]) {
    if (style[name]) drawing = h(tag, {}, drawing);
  }
  return drawing;
}
