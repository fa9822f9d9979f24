// The external select: its options come from the app while a person types. It is a combobox with a list box, so that
// arrow keys, Enter and Escape work; an app that does not answer shows as a load failure, and typing asks again. Text
// that was typed and not chosen yet is "loose": it is never thrown away, and a dialogue does not go with it.

import { askOptions, controlName } from "./actions.js";
import { classes, h } from "./dom.js";
import { fieldId, plainText } from "./elements.js";
import { state, update } from "./store.js";

const PAUSE_MS = 250;
const boxes = new Map(); // control → what its list shows

function boxOf(name) {
  if (!boxes.has(name)) boxes.set(name, { typed: "", options: [], active: 0, wait: null, asked: 0, note: "", isStale: false, loose: "", leaving: null });
  return boxes.get(name);
}

function redraw() {
  update({});
}

/** Draws an external select. */
export function drawExternalSelect(element, blockId, context) {
  const name = controlName(context, blockId, element);
  const box = boxOf(name);
  const isOpen = state.menu === name;
  const id = fieldId(context, blockId, element);
  const isMany = element.type === "multi_external_select";
  const chosen = isMany ? null : (context.chosen?.(blockId, element) ?? box.chosen ?? element.initial_option ?? null);
  const many = isMany ? (context.chosenValue?.(blockId, element, "selected_options") ?? box.many ?? element.initial_options ?? []) : [];
  const close = () => {
    box.loose = "";
    if (state.menu === name) update({ menu: null });
  };
  const chooseMany = (options) => {
    box.many = options;
    close();
    context.chose(blockId, element, { selected_options: options });
  };
  const open = () => openList(box, name, context, blockId, element);
  const choose = (option) => {
    if (isMany) {
      chooseMany([...many.filter((one) => one.value !== option.value), option]);
      return;
    }
    box.chosen = option;
    close();
    context.chose(blockId, element, { selected_option: option });
  };
  const isLoose = !isOpen && box.loose !== "";
  return h(
    "span",
    { class: classes("combobox", isLoose && "combobox-loose") },
    many.length > 0 && h("span", { class: "picked" }, many.map((option) => h("button", { key: option.value, type: "button", class: "chip", "aria-label": `Remove ${plainText(option.text)}`, onclick: () => chooseMany(many.filter((one) => one !== option)) }, plainText(option.text), " ×"))),
    h("input", {
      id,
      class: "field",
      role: "combobox",
      autocomplete: "off",
      "aria-autocomplete": "list",
      "aria-expanded": String(isOpen),
      "aria-controls": `${id}-list`,
      "aria-activedescendant": isOpen && box.options.length > 0 ? `${id}-${box.active}` : null,
      "aria-label": context.labelled ? null : plainText(element.placeholder) || "Choose",
      placeholder: plainText(element.placeholder) || "Type to search",
      "aria-invalid": isLoose ? "true" : null,
      "aria-describedby": isLoose ? `${id}-loose` : null,
      value: isOpen ? box.typed : box.loose || plainText(chosen?.text),
      onclick: open,
      oninput: (event) => type(box, name, event.target.value, context, blockId, element),
      onblur: () => {
        box.leaving = leave(box, name, choose, () => ask(box, context, blockId, element));
      },
      onkeydown: (event) => steer(event, box, name, open, choose),
    }),
    isLoose && h("span", { id: `${id}-loose`, class: "field-error", role: "alert" }, "Choose one"),
    isOpen && drawList(box, id, choose),
  );
}

function drawList(box, id, choose) {
  return h(
    "span",
    { class: "menu menu-wide", role: "listbox", id: `${id}-list` },
    box.options.map((option, index) =>
      h(
        "span",
        {
          id: `${id}-${index}`,
          role: "option",
          class: classes("option", index === box.active && "option-active"),
          "aria-selected": String(index === box.active),
          // The field keeps the focus: its blur would close the list before the click.
          onmousedown: (event) => event.preventDefault(),
          onclick: () => choose(option),
        },
        plainText(option.text),
        option.description && h("small", {}, plainText(option.description)),
      ),
    ),
    box.note && h("span", { class: "option-note" }, box.note),
  );
}

function openList(box, name, context, blockId, element) {
  if (state.menu === name) return;
  Object.assign(box, { typed: box.loose, options: [], active: 0, isStale: true });
  update({ menu: name });
  ask(box, context, blockId, element);
}

function type(box, name, text, context, blockId, element) {
  // What is listed belongs to other words until the app has answered: Enter must not take it.
  Object.assign(box, { typed: text, loose: text.trim(), isStale: true, ...(state.menu === name ? {} : { options: [], note: "Loading…" }) });
  update({ menu: name });
  clearTimeout(box.wait);
  box.wait = setTimeout(() => ask(box, context, blockId, element), PAUSE_MS);
}

// Who leaves the field with words that fit one option only has chosen it; the app may still have to say so.
async function leave(box, name, choose, askNow) {
  if (state.menu === name) update({ menu: null });
  if (box.loose === "") return;
  if (box.isStale) {
    clearTimeout(box.wait);
    await askNow();
  }
  if (box.loose === "" || box.isStale || state.menu === name) return;
  const exact = box.options.filter((option) => plainText(option.text).trim() === box.loose);
  const fitting = exact.length > 0 ? exact : box.options;
  if (fitting.length === 1) choose(fitting[0]);
}

/** Waits until the fields of a view that were left have settled, and gives the id of the first whose text is not one of
 *  its options; null when the view may go. */
export async function findLoose(view, context) {
  const fields = (view.blocks ?? []).flatMap((block) => [block.element, block.accessory, ...(block.elements ?? [])].filter((element) => /external_select$/.test(element?.type ?? "")).map((element) => [block.block_id, element]));
  for (const [blockId, element] of fields) {
    const box = boxes.get(controlName(context, blockId, element));
    await box?.leaving;
    if (box && box.loose !== "") return fieldId(context, blockId, element);
  }
  return null;
}

async function ask(box, context, blockId, element) {
  const least = element.min_query_length ?? 3;
  if (box.typed.length < least) {
    box.options = [];
    box.note = `Type at least ${least} character${least === 1 ? "" : "s"}`;
    redraw();
    return;
  }
  box.note = box.options.length > 0 ? "" : "Loading…";
  box.asked += 1;
  const mine = box.asked;
  redraw();
  const answer = await askOptions(context, blockId, element, box.typed);
  if (mine !== box.asked) return;
  box.isStale = false;
  box.options = answer ? (answer.options ?? (answer.option_groups ?? []).flatMap((group) => group.options ?? [])) : [];
  box.active = 0;
  if (answer === null) box.note = "These could not be loaded. Type to try again.";
  else box.note = box.options.length === 0 ? "Nothing found" : "";
  redraw();
}

function steer(event, box, name, open, choose) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && state.menu !== name) {
    event.preventDefault();
    open();
  } else if (step && box.options.length > 0) {
    event.preventDefault();
    box.active = (box.active + step + box.options.length) % box.options.length;
    redraw();
  } else if (event.key === "Enter" && !event.isComposing && (box.loose !== "" || (state.menu === name && box.options[box.active]))) {
    // Words that nobody has looked up yet neither choose nor send.
    event.preventDefault();
    if (state.menu === name && !box.isStale && box.options[box.active]) choose(box.options[box.active]);
  } else if (event.key === "Escape" && state.menu === name) {
    event.stopPropagation();
    event.preventDefault();
    update({ menu: null });
  }
}
