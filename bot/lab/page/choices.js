// Check boxes and radio buttons, and the selects of several that are drawn as check boxes.

import { h } from "./dom.js";
import { drawText, enteredOr, fieldId, listOptions, plainText } from "./elements.js";
import { unescapeText } from "./mrkdwn.js";

/** Draws check boxes whose value is a list of options. */
export function drawCheckboxes(element, blockId, context) {
  return drawSome(element, blockId, context, "selected_options", (element.initial_options ?? []).map((option) => option.value));
}

/** Draws check boxes whose value stands in `field`: options for "selected_options", ids otherwise. */
export function drawSome(element, blockId, context, field, initial) {
  const options = listOptions(element);
  const change = (event) => {
    const boxes = [...event.target.closest("fieldset").querySelectorAll("input")];
    const chosen = options.filter((_option, index) => boxes[index].checked);
    context.chose(blockId, element, { [field]: field === "selected_options" ? chosen : chosen.map((option) => option.value) });
  };
  const chosen = enteredOr(context, blockId, element, field, initial ?? []).map((one) => one.value ?? one);
  return drawChoices(element, blockId, context, "checkbox", (option) => chosen.includes(option.value), change);
}

/** Draws radio buttons. */
export function drawRadio(element, blockId, context) {
  const change = (event) => context.chose(blockId, element, { selected_option: element.options[Number(event.target.value)] });
  const chosen = enteredOr(context, blockId, element, "selected_option", element.initial_option);
  return drawChoices(element, blockId, context, "radio", (option) => chosen?.value === option.value, change);
}

function drawChoices(element, blockId, context, type, isChosen, change) {
  const group = fieldId(context, blockId, element);
  return h(
    "fieldset",
    { class: "choices", "aria-label": context.labelled ?? (plainText(element.placeholder) || "Choices") },
    listOptions(element).map((option, index) =>
      h(
        "label",
        {},
        h("input", { type, name: group, value: String(index), checked: isChosen(option), onchange: change }),
        h("span", {}, option.text.type === "mrkdwn" ? drawText(option.text) : plainText(option.text)),
        option.description && h("small", {}, unescapeText(option.description.text)),
      ),
    ),
  );
}
