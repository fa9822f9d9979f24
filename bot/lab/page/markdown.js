// The `markdown` block: the common Markdown that reports use, drawn without ever parsing HTML.

import { h } from "./dom.js";
import { drawLink } from "./mrkdwn.js";

const INLINE = /(`+)(.+?)\1|\*\*(.+?)\*\*|__(.+?)__|~~(.+?)~~|\*([^*\s][^*]*)\*|_([^_\s][^_]*)_|\[([^\]]+)\]\(([^)\s]+)\)/;

/** Drawings for a Markdown text. */
export function drawMarkdown(text) {
  const lines = text.split("\n");
  const drawings = [];
  let at = 0;
  while (at < lines.length) {
    const [drawing, used] = drawPart(lines, at);
    if (drawing) drawings.push(drawing);
    at += used;
  }
  return h("div", { class: "rich" }, drawings);
}

function drawPart(lines, at) {
  const line = lines[at];
  if (line.trim() === "") return [null, 1];
  if (line.startsWith("```")) return drawFence(lines, at);
  const heading = /^(#{1,6})\s+(.*)$/.exec(line);
  if (heading) return [h(`h${Math.min(heading[1].length + 2, 6)}`, {}, drawSpans(heading[2])), 1];
  if (/^(-{3,}|\*{3,})$/.test(line.trim())) return [h("hr"), 1];
  if (isTable(lines, at)) return drawTable(lines, at);
  if (/^>\s?/.test(line)) return drawRunOf(lines, at, /^>\s?/, (texts) => h("blockquote", {}, joined(texts)));
  if (/^\s*[-*+]\s+/.test(line)) return drawRunOf(lines, at, /^\s*[-*+]\s+/, (texts) => h("ul", {}, items(texts)));
  if (/^\s*\d+[.)]\s+/.test(line)) return drawRunOf(lines, at, /^\s*\d+[.)]\s+/, (texts) => h("ol", {}, items(texts)));
  return [h("p", {}, drawSpans(line)), 1];
}

function drawFence(lines, at) {
  let end = at + 1;
  while (end < lines.length && !lines[end].startsWith("```")) end += 1;
  return [h("pre", {}, lines.slice(at + 1, end).join("\n")), end - at + 1];
}

function drawRunOf(lines, at, mark, draw) {
  const texts = [];
  while (at + texts.length < lines.length && mark.test(lines[at + texts.length])) {
    texts.push(lines[at + texts.length].replace(mark, ""));
  }
  return [draw(texts), texts.length];
}

function items(texts) {
  return texts.map((text) => h("li", {}, drawSpans(text)));
}

function joined(texts) {
  return texts.flatMap((text, index) => (index === 0 ? drawSpans(text) : [h("br"), ...drawSpans(text)]));
}

function isTable(lines, at) {
  return lines[at].includes("|") && /^\s*\|?[\s:|-]+-[\s:|-]*$/.test(lines[at + 1] ?? "");
}

function drawTable(lines, at) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => drawSpans(cell.trim()));
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|")) end += 1;
  const head = h("tr", {}, cells(lines[at]).map((cell) => h("th", { scope: "col" }, cell)));
  const body = lines.slice(at + 2, end).map((line) => h("tr", {}, cells(line).map((cell) => h("td", {}, cell))));
  return [h("div", { class: "table-frame" }, h("table", {}, h("thead", {}, head), h("tbody", {}, body))), end - at];
}

function drawSpans(text) {
  const match = INLINE.exec(text);
  if (!match) return text ? [text] : [];
  const [whole, , code, bold, bold2, strike, italic, italic2, label, url] = match;
  let drawing;
  if (code !== undefined) drawing = h("code", {}, code);
  else if ((bold ?? bold2) !== undefined) drawing = h("strong", {}, drawSpans(bold ?? bold2));
  else if (strike !== undefined) drawing = h("s", {}, drawSpans(strike));
  else if ((italic ?? italic2) !== undefined) drawing = h("em", {}, drawSpans(italic ?? italic2));
  else drawing = drawLink(url, drawSpans(label));
  return [...drawSpans(text.slice(0, match.index)), drawing, ...drawSpans(text.slice(match.index + whole.length))];
}
