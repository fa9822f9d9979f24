// The external select: its options come from the app while a person types. It is a combobox with a list box, so that
// arrow keys, Enter and Escape work; an app that does not answer shows as a load failure, and typing asks again.

import { askOptions, controlName } from "./actions.js";
import { classes, h } from "./dom.js";
import { fieldId, plainText } from "./elements.js";
import { state, update } from "./store.js";

const PAUSE_MS = 250;
const boxes = new Map(); // control → what its list shows

function boxOf(name) {
  if (!boxes.has(name)) boxes.set(name, { typed: "", options: [], active: 0, wait: null, asked: 0, note: "", isStale: false });
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
  const chooseMany = (options) => {
    box.many = options;
    update({ menu: null });
    context.chose(blockId, element, { selected_options: options });
  };
  const open = () => openList(box, name, context, blockId, element);
  const choose = (option) => {
    if (isMany) {
      chooseMany([...many.filter((one) => one.value !== option.value), option]);
      return;
    }
    box.chosen = option;
    update({ menu: null });
    context.chose(blockId, element, { selected_option: option });
  };
  return h(
    "span",
    { class: "combobox" },
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
      value: isOpen ? box.typed : plainText(chosen?.text),
      onclick: open,
      oninput: (event) => type(box, name, event.target.value, context, blockId, element),
      onblur: () => state.menu === name && update({ menu: null }),
      onkeydown: (event) => steer(event, box, name, open, choose),
    }),
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
  Object.assign(box, { typed: "", options: [], active: 0 });
  update({ menu: name });
  ask(box, context, blockId, element);
}

function type(box, name, text, context, blockId, element) {
  // What is listed belongs to other words until the app has answered: Enter must not take it.
  Object.assign(box, { typed: text, isStale: true, ...(state.menu === name ? {} : { options: [], note: "Loading…" }) });
  update({ menu: name });
  clearTimeout(box.wait);
  box.wait = setTimeout(() => ask(box, context, blockId, element), PAUSE_MS);
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
  } else if (event.key === "Enter" && !event.isComposing && state.menu === name && !box.isStale && box.options[box.active]) {
    event.preventDefault();
    choose(box.options[box.active]);
  } else if (event.key === "Escape" && state.menu === name) {
    event.stopPropagation();
    event.preventDefault();
    update({ menu: null });
  }
}
