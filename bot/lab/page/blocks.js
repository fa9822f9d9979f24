// Block Kit blocks as drawings, for messages, modals and App Home alike.

import { use } from "./actions.js";
import { classes, h } from "./dom.js";
import { drawElement, drawImage, drawText, fieldId, plainText } from "./elements.js";
import { drawFile } from "./files.js";
import { drawMarkdown } from "./markdown.js";
import { drawMrkdwn } from "./mrkdwn.js";
import { drawRichText } from "./richtext.js";

/** Drawings for a list of blocks. `context` says where they stand:
 *  name (unique), where ({channel, message_ts} or {view_id}), chose(blockId, element, chosen), errors, labelled. */
export function drawBlocks(blocks, context) {
  const acting = { chose: (blockId, element, chosen) => use(acting, blockId, element, chosen), ...context };
  return blocks.map((block, index) => {
    const drawing = drawBlock(block, block.block_id ?? String(index), acting);
    return drawing && { ...drawing, key: block.block_id ?? `#${index}` };
  });
}

function drawBlock(block, blockId, context) {
  const draw = DRAW[block.type];
  if (draw) return draw(block, blockId, context);
  return h("div", { class: "block unknown" }, `This page cannot show a "${block.type}" block.`);
}

const DRAW = {
  section: drawSection,
  header: (block) => h("h3", { class: "block block-header" }, plainText(block.text)),
  divider: () => h("hr", { class: "block" }),
  context: drawContext,
  actions: (block, blockId, context) =>
    h("div", { class: "block block-actions" }, (block.elements ?? []).map((element) => drawElement(element, blockId, context))),
  image: drawImageBlock,
  input: drawInput,
  rich_text: (block) => h("div", { class: "block" }, drawRichText(block)),
  markdown: (block) => h("div", { class: "block" }, drawMarkdown(block.text ?? "")),
  table: drawTable,
  context_actions: (block, blockId, context) =>
    h("div", { class: "block block-actions" }, (block.elements ?? []).map((element) => drawElement(element, blockId, context))),
  card: drawCard,
  carousel: (block, blockId, context) => h("div", { class: "block carousel" }, (block.elements ?? []).map((card) => drawCard(card, blockId, context))),
  container: drawContainer,
  alert: (block) => h("div", { class: classes("block block-alert", `alert-${block.level ?? "default"}`), role: "note" }, drawText(block.text)),
};

function drawSection(block, blockId, context) {
  const text = block.text && h("div", { class: "text" }, drawText(block.text));
  const fields = block.fields && h("div", { class: "fields" }, block.fields.map((field) => h("div", { class: "text" }, drawText(field))));
  const accessory =
    block.accessory &&
    h("div", { class: "accessory" }, block.accessory.type === "image" ? drawImage(block.accessory) : drawElement(block.accessory, blockId, context));
  return h("div", { class: "block block-section" }, h("div", { class: "section-main" }, text, fields), accessory);
}

function drawContext(block) {
  return h(
    "div",
    { class: "block block-context" },
    (block.elements ?? []).map((element) =>
      element.type === "image" ? drawImage(element) : h("span", { class: "text" }, drawText(element)),
    ),
  );
}

function drawImageBlock(block) {
  return h("figure", { class: "block block-image" }, block.title && h("figcaption", {}, plainText(block.title)), drawImage(block));
}

function drawInput(block, blockId, context) {
  const element = block.element ?? {};
  const error = context.errors?.[blockId];
  const id = fieldId(context, blockId, element);
  const inner = { ...context, labelled: plainText(block.label), optional: block.optional, dispatches: block.dispatch_action };
  if (block.dispatch_action && context.dispatch) {
    inner.chose = (one, other, chosen) => {
      context.chose(one, other, chosen);
      context.dispatch(one, other, chosen);
    };
  }
  return h(
    "div",
    { class: classes("block block-input", error && "block-wrong") },
    h("label", { for: id }, plainText(block.label), block.optional && h("span", { class: "optional" }, " (optional)")),
    drawElement(element, blockId, inner),
    error && h("p", { class: "field-error", role: "alert" }, error),
    block.hint && h("p", { class: "hint" }, plainText(block.hint)),
  );
}

function drawCard(block, blockId, context) {
  const image = block.hero_image ?? block.icon;
  return h(
    "div",
    { class: "block card" },
    image && drawImage(image),
    block.title && h("strong", {}, drawText(block.title)),
    block.subtitle && h("span", { class: "hint" }, drawText(block.subtitle)),
    block.body && h("div", { class: "text" }, drawText(block.body)),
    block.actions && h("div", { class: "block-actions" }, block.actions.map((element) => drawElement(element, blockId, context))),
  );
}

function drawContainer(block, _blockId, context) {
  return h("div", { class: "block card" }, block.title ? h("strong", {}, drawText(block.title)) : block.rich_text_title && drawRichText(block.rich_text_title), drawBlocks(block.child_blocks ?? [], context));
}

function drawTable(block) {
  const settings = block.column_settings ?? [];
  const [head, ...rest] = block.rows ?? [];
  const cell = (tag) => (content, column) =>
    h(
      tag,
      { scope: tag === "th" ? "col" : null, class: classes(`align-${settings[column]?.align ?? "left"}`, settings[column]?.is_wrapped && "wrapped") },
      drawCell(content),
    );
  return h(
    "div",
    { class: "block table-frame", tabindex: "0", role: "group", "aria-label": "Table" },
    h(
      "table",
      {},
      head && h("thead", {}, h("tr", {}, head.map(cell("th")))),
      h("tbody", {}, rest.map((row) => h("tr", {}, row.map(cell("td"))))),
    ),
  );
}

function drawCell(content) {
  if (content.type === "rich_text") return drawRichText(content);
  return String(content.text ?? content.value ?? "");
}

/** What a message shows: its blocks, its text when it has none, and its attachments. */
export function drawContent(message, context) {
  const blocks = message.blocks ?? [];
  return [
    blocks.length > 0
      ? h("div", { class: "blocks" }, drawBlocks(blocks, context))
      : message.text && h("div", { class: "text" }, drawMrkdwn(message.text)),
    (message.attachments ?? []).map((attachment, index) => drawAttachment(attachment, `${index}`, context)),
    (message.files ?? []).map(drawFile),
  ];
}

function drawAttachment(attachment, key, context) {
  const color = /^#[0-9a-f]{6}$/i.test(attachment.color ?? "") ? attachment.color : "";
  return h(
    "div",
    { key: `attachment-${key}`, class: "attachment", style: { "--bar": color } },
    attachment.blocks
      ? drawBlocks(attachment.blocks, context)
      : h("div", { class: "text" }, drawMrkdwn(attachment.text ?? attachment.fallback ?? "")),
  );
}
