// Interactive elements of Block Kit: buttons, menus, selects, check boxes, inputs.
// Each draws itself and tells `context.chose(blockId, element, chosen)` what a person did.

import { controlName, use } from "./actions.js";
import { drawCheckboxes, drawRadio, drawSome } from "./choices.js";
import { drawExternalSelect } from "./combobox.js";
import { classes, h, icon } from "./dom.js";
import { fillEmoji } from "./emoji.js";
import { drawFileInput, drawRichTextInput } from "./inputs.js";
import { drawMrkdwn } from "./mrkdwn.js";
import { walkMenu } from "./rove.js";
import { state, update } from "./store.js";

/** The text of a plain_text object as the client shows it: no markup, emoji names filled. */
export function plainText(object) {
  if (!object) return "";
  const text = object.text ?? "";
  return object.type === "plain_text" && object.emoji !== false ? fillEmoji(text) : text;
}

/** The drawing of a text object of either kind. */
export function drawText(object) {
  return object.type === "mrkdwn" ? drawMrkdwn(object.text ?? "", { verbatim: object.verbatim }) : breakLines(plainText(object));
}

function breakLines(text) {
  return text.split("\n").flatMap((line, index) => (index === 0 ? [line] : [h("br"), line]));
}

/** The drawing of one element of an actions block, a section's accessory or an input block. */
export function drawElement(element, blockId, context) {
  const draw = DRAW[element.type];
  const key = element.action_id ?? element.type;
  if (!draw) return h("span", { key, class: "unknown" }, `[${element.type}]`);
  const mark = state.busy[controlName(context, blockId, element)];
  return h(
    "span",
    { key, class: classes("control", mark && `control-${mark}`) },
    draw(element, blockId, context),
    mark === "failed" && h("span", { class: "control-warning", role: "img", "aria-label": "The app did not answer", title: "The app did not answer" }, icon("warning")),
  );
}

const DRAW = {
  button: drawButton,
  overflow: drawOverflow,
  static_select: drawSelect,
  users_select: drawPeopleSelect,
  conversations_select: drawChannelSelect,
  channels_select: drawChannelSelect,
  external_select: drawExternalSelect,
  multi_external_select: drawExternalSelect,
  multi_static_select: drawCheckboxes,
  multi_users_select: (element, blockId, context) => drawSome(withPeople(element), blockId, context, "selected_users", element.initial_users),
  multi_conversations_select: (element, blockId, context) => drawSome(withChannels(element), blockId, context, "selected_conversations", element.initial_conversations),
  multi_channels_select: (element, blockId, context) => drawSome(withChannels(element), blockId, context, "selected_channels", element.initial_channels),
  checkboxes: drawCheckboxes,
  radio_buttons: drawRadio,
  plain_text_input: drawTextInput,
  number_input: (element, blockId, context) => drawField(element, blockId, context, "number", "value"),
  email_text_input: (element, blockId, context) => drawField(element, blockId, context, "email", "value"),
  url_text_input: (element, blockId, context) => drawField(element, blockId, context, "url", "value"),
  datepicker: (element, blockId, context) => drawField(element, blockId, context, "date", "selected_date"),
  timepicker: (element, blockId, context) => drawField(element, blockId, context, "time", "selected_time"),
  datetimepicker: drawDateTime,
  rich_text_input: drawRichTextInput,
  file_input: drawFileInput,
  icon_button: drawButton,
  feedback_buttons: drawFeedback,
  image: drawImage,
};

function drawButton(element, blockId, context) {
  const isLink = typeof element.url === "string" && /^https?:/i.test(element.url);
  const press = () => use(context, blockId, element, { value: element.value });
  return h(
    isLink ? "a" : "button",
    {
      class: classes("button", element.style && `button-${element.style}`),
      type: isLink ? null : "button",
      href: isLink ? element.url : null,
      target: isLink ? "_blank" : null,
      rel: isLink ? "noopener noreferrer" : null,
      "aria-label": element.accessibility_label,
      "aria-busy": state.busy[controlName(context, blockId, element)] === "busy" ? "true" : null,
      onclick: press,
    },
    plainText(element.text),
  );
}

function drawOverflow(element, blockId, context) {
  const name = controlName(context, blockId, element);
  const isOpen = state.menu === name;
  const choose = (option) => {
    update({ menu: null });
    if (option.url && /^https?:/i.test(option.url)) window.open(option.url, "_blank", "noopener");
    use(context, blockId, element, { selected_option: option });
  };
  return h(
    "span",
    { class: "overflow" },
    h(
      "button",
      {
        type: "button",
        class: "button button-icon",
        "aria-label": "More actions",
        "aria-haspopup": "menu",
        "aria-expanded": String(isOpen),
        onclick: () => update({ menu: isOpen ? null : name }),
      },
      icon("more"),
    ),
    isOpen &&
      h(
        "span",
        { class: "menu", role: "menu", "aria-label": "More actions", hook: focusFirst, onkeydown: walkMenu },
        element.options.map((option) =>
          h("button", { type: "button", role: "menuitem", onclick: () => choose(option) }, plainText(option.text)),
        ),
      ),
  );
}

function focusFirst(node, isNew) {
  if (isNew) queueMicrotask(() => node.querySelector("button")?.focus());
}

/** The options of a select, without their groups. */
export function listOptions(element) {
  return element.options ?? (element.option_groups ?? []).flatMap((group) => group.options ?? []);
}

function drawSelect(element, blockId, context) {
  const options = listOptions(element);
  const chosen = context.chosen?.(blockId, element) ?? element.initial_option;
  const at = chosen ? options.findIndex((option) => option.value === chosen.value) : -1;
  const number = new Map(options.map((option, index) => [option, index]));
  const draw = (option) => h("option", { value: String(number.get(option)), selected: number.get(option) === at }, plainText(option.text));
  return h(
    "select",
    {
      id: fieldId(context, blockId, element),
      class: "select",
      "aria-label": context.labelled ? null : plainText(element.placeholder) || "Choose",
      value: String(at),
      onchange: (event) => context.chose(blockId, element, { selected_option: options[Number(event.target.value)] ?? null }),
    },
    h("option", { value: "-1", disabled: !context.optional, selected: at < 0 }, plainText(element.placeholder) || "Choose"),
    element.option_groups
      ? element.option_groups.map((group) => h("optgroup", { label: plainText(group.label) }, (group.options ?? []).map(draw)))
      : options.map(draw),
  );
}

function asOption(value, text) {
  return { value, text: { type: "plain_text", text, emoji: false } };
}

function withPeople(element) {
  return { ...element, options: state.people.map((person) => asOption(person.id, person.name)) };
}

function drawPeopleSelect(element, blockId, context) {
  return drawListSelect(withPeople(element), blockId, context, "selected_user", element.initial_user);
}

function withChannels(element) {
  return { ...element, options: state.channels.filter((channel) => !channel.is_im).map((channel) => asOption(channel.id, `#${channel.name}`)) };
}

function drawChannelSelect(element, blockId, context) {
  const isAny = element.type === "conversations_select";
  const initial = isAny ? element.initial_conversation : element.initial_channel;
  return drawListSelect(withChannels(element), blockId, context, isAny ? "selected_conversation" : "selected_channel", initial);
}

function drawFeedback(element, blockId, context) {
  const draw = (button) => button && drawButton({ ...element, ...button, type: "button" }, blockId, context);
  return h("span", { class: "feedback" }, draw(element.positive_button), draw(element.negative_button));
}

function drawListSelect(element, blockId, context, field, initial) {
  const inner = {
    ...context,
    chosen: () => element.options.find((option) => option.value === (context.chosenValue?.(blockId, element, field) ?? initial)),
    chose: (block, one, chosen) => context.chose(block, one, { [field]: chosen.selected_option?.value ?? null }),
  };
  return drawSelect(element, blockId, inner);
}

/** The id that ties a label to its field. */
export function fieldId(context, blockId, element) {
  return `field-${context.name}-${blockId}-${element.action_id}`.replace(/[^\w-]/g, "_");
}

/** What a person entered in an element, or what stands there at first: a view that comes back shows what was entered. */
export function enteredOr(context, blockId, element, field, initial) {
  const value = context.chosenValue?.(blockId, element, field);
  return value === undefined ? initial : (value ?? "");
}

function drawTextInput(element, blockId, context) {
  return drawField(element, blockId, context, element.multiline ? null : "text", "value");
}

function drawField(element, blockId, context, type, field) {
  const tell = (event) => context.typed?.(blockId, element, { [field]: event.target.value || null });
  const done = (event) => context.chose(blockId, element, { [field]: event.target.value || null });
  const isText = type === "text" || type === null;
  const isOwnAction = !context.typed || context.dispatches;
  return h(type === null ? "textarea" : "input", {
    id: fieldId(context, blockId, element),
    class: "field",
    type,
    rows: type === null ? "4" : null,
    placeholder: plainText(element.placeholder) || null,
    minlength: element.min_length,
    maxlength: element.max_length,
    min: element.min_value ?? null,
    max: element.max_value ?? null,
    step: element.is_decimal_allowed ? "any" : null,
    "aria-label": context.labelled ? null : plainText(element.placeholder) || "Text",
    value: enteredOr(context, blockId, element, field, element.initial_value ?? element.initial_date ?? element.initial_time ?? ""),
    oninput: tell,
    onchange: isText ? null : done,
    onkeydown: isText && isOwnAction ? (event) => isEnter(event) && type !== null && (event.preventDefault(), done(event)) : null,
  });
}

/** Whether a key press means Enter; an input method that is composing uses Enter for itself. */
export function isEnter(event) {
  return event.key === "Enter" && !event.shiftKey && !event.isComposing;
}

function drawDateTime(element, blockId, context) {
  const read = (event) => ({ selected_date_time: event.target.value ? Math.floor(new Date(event.target.value).getTime() / 1000) : null });
  const initial = enteredOr(context, blockId, element, "selected_date_time", element.initial_date_time);
  const local = initial ? new Date((initial - new Date(initial * 1000).getTimezoneOffset() * 60) * 1000) : null;
  return h("input", {
    id: fieldId(context, blockId, element),
    class: "field",
    type: "datetime-local",
    value: local?.toISOString().slice(0, 16) ?? "",
    onchange: (event) => context.chose(blockId, element, read(event)),
  });
}

/** A picture of our own origin; one from elsewhere is named, because the lab loads nothing from elsewhere. */
export function drawImage(element) {
  const isOurs = typeof element.image_url === "string" && (element.image_url.startsWith(`${location.origin}/`) || element.image_url.startsWith("data:image/"));
  const alt = element.alt_text ?? "";
  return isOurs ? h("img", { src: element.image_url, alt, loading: "lazy" }) : h("span", { class: "image-elsewhere", role: "img", "aria-label": alt }, alt);
}
