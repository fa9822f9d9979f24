// Inputs that are more than a field of the browser: text that is sent as rich text, and files.

import { call } from "./api.js";
import { h } from "./dom.js";
import { enteredOr, fieldId, plainText } from "./elements.js";
import { me, update } from "./store.js";

const waiting = new Map(); // field → what is said of its files

/** Draws an input of rich text: what is typed is sent as plain sections, one for each line. */
export function drawRichTextInput(element, blockId, context) {
  const read = (event) => ({ rich_text_value: event.target.value ? makeRichText(event.target.value) : null });
  return h("textarea", {
    id: fieldId(context, blockId, element),
    class: "field",
    rows: "4",
    placeholder: plainText(element.placeholder) || null,
    "aria-label": context.labelled ? null : plainText(element.placeholder) || "Text",
    value: readRichText(enteredOr(context, blockId, element, "rich_text_value", element.initial_value)),
    oninput: (event) => context.typed?.(blockId, element, read(event)),
    onchange: (event) => context.dispatches && context.chose(blockId, element, read(event)),
  });
}

function makeRichText(text) {
  return { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }] };
}

function readRichText(value) {
  const sections = (value?.elements ?? []).map((section) => (section.elements ?? []).map((one) => one.text ?? one.url ?? "").join(""));
  return sections.join("\n");
}

/** Draws an input of files; they are uploaded at once, as a client does, and the value names them. */
export function drawFileInput(element, blockId, context) {
  const id = fieldId(context, blockId, element);
  const most = element.max_files ?? 10;
  const change = async (event) => {
    const chosen = [...event.target.files].slice(0, most);
    say(id, "Uploading…");
    const files = (await Promise.all(chosen.map(upload))).filter(Boolean);
    say(id, files.length === chosen.length ? `${files.length} uploaded` : "A file could not be uploaded.");
    context.chose(blockId, element, { files });
  };
  return h(
    "span",
    { class: "file-input" },
    h("input", {
      id,
      type: "file",
      multiple: most > 1,
      accept: (element.filetypes ?? []).map((type) => `.${type}`).join(",") || null,
      "aria-label": context.labelled ? null : "Files",
      onchange: (event) => void change(event),
    }),
    h("small", { role: "status" }, waiting.get(id) ?? ""),
  );
}

function say(id, sentence) {
  waiting.set(id, sentence);
  update({});
}

async function upload(file) {
  const { token } = me();
  const given = await call("files.getUploadURLExternal", token, { filename: file.name, length: file.size });
  if (!given.ok) return null;
  try {
    const sent = await fetch(given.upload_url, { method: "POST", body: file });
    if (!sent.ok) return null;
  } catch {
    return null;
  }
  const done = await call("files.completeUploadExternal", token, { files: [{ id: given.file_id, title: file.name }] });
  return done.ok ? done.files[0] : null;
}
