// Files of a message: what each is, a look into it, and its bytes. Only somebody who may see a file gets them, so that
// they are asked for with the person's token.

import { h } from "./dom.js";
import { me, update } from "./store.js";
import { saySize } from "./units.js";

const LARGEST_LOOK = 256 * 1024;
const looks = new Map(); // file → { text } | { image } | { failed }

/** Whether the inside of a file is shown, or why it cannot be. */
export function isLookedInto(file) {
  return Object.keys(looks.get(file.id) ?? {}).join();
}

/** Draws one file. */
export function drawFile(file) {
  const isText = /^(text\/|application\/(json|x-ndjson|csv))/.test(file.mimetype ?? "") || ["csv", "json", "txt", "log", "text"].includes(file.filetype);
  const isImage = /^image\/(png|jpeg|gif|webp)$/.test(file.mimetype ?? "");
  const canLook = (isText || isImage) && Number(file.size) <= LARGEST_LOOK && file.url_private;
  const look = looks.get(file.id);
  return h(
    "div",
    { class: "file", key: `file-${file.id}` },
    h("p", { class: "file-name" }, h("strong", { dir: "auto" }, file.title || file.name), h("small", {}, [file.pretty_type, saySize(file.size)].filter(Boolean).join(" · "))),
    h(
      "p",
      { class: "file-buttons" },
      canLook && h("button", { type: "button", class: "button button-small", "aria-expanded": String(Boolean(look)), onclick: () => toggle(file, isImage) }, look ? "Hide" : "Show", h("span", { class: "unseen" }, ` ${file.name}`)),
      file.url_private && h("button", { type: "button", class: "button button-small", onclick: () => void save(file) }, "Download", h("span", { class: "unseen" }, ` ${file.name}`)),
    ),
    look?.failed && h("p", { class: "field-error" }, "This file could not be read."),
    look?.text !== undefined && h("pre", { class: "file-look", tabindex: "0" }, look.text),
    look?.image && h("img", { class: "file-look", src: look.image, alt: file.alt_txt || file.title || file.name }),
  );
}

async function toggle(file, isImage) {
  if (looks.delete(file.id)) {
    update({});
    return;
  }
  const content = await load(file);
  if (content === null) looks.set(file.id, { failed: true });
  else looks.set(file.id, isImage ? { image: await readAsAddress(content) } : { text: await content.text() });
  update({});
}

// The path alone: the address in the file names the lab by another name than the page may have.
async function load(file) {
  try {
    const answer = await fetch(new URL(file.url_private).pathname, { headers: { Authorization: `Bearer ${me().token}` }, redirect: "error" });
    return answer.ok ? await answer.blob() : null;
  } catch {
    return null;
  }
}

function readAsAddress(content) {
  return new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.readAsDataURL(content);
  });
}

async function save(file) {
  const content = await load(file);
  if (content === null) {
    looks.set(file.id, { failed: true });
    update({});
    return;
  }
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = file.name;
  link.click();
  URL.revokeObjectURL(address);
}
