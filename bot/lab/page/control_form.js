// A form for any control of the lab, drawn from its description.

import { order } from "./api.js";
import { knownValues, listControls, refreshWorkplace } from "./catalogue.js";
import { h } from "./dom.js";
import { update } from "./store.js";

const form = { chosen: "datacentre/arm", values: {} };

/** Sends a control to its door and says what came of it. */
export async function give(door, request, done) {
  update({ toast: null });
  const answer = await order(door, request);
  update({ toast: answer.ok === false ? answer.error : done });
  if (door === "slack") await refreshWorkplace();
  return answer;
}

/** Draws the choice of a control and its fields. */
export function drawControlForm() {
  const controls = listControls();
  const control = controls.find((one) => nameOf(one) === form.chosen) ?? controls[0];
  if (!control) return h("p", { class: "empty" }, "The lab has not said yet what it understands.");
  const choose = (event) => {
    // Fields that stay would go on writing into the values that are given up here.
    if (event.target.value === form.chosen) return;
    Object.assign(form, { chosen: event.target.value, values: {} });
    update({});
  };
  const submit = (event) => {
    event.preventDefault();
    void give(control.door, { do: control.do, ...readValues(control.fields, form.values) }, `Done: ${control.label.toLowerCase()}.`);
  };
  return h(
    "form",
    { class: "control-form", onsubmit: submit },
    h("label", { for: "control-choice" }, "Anything the lab understands"),
    h(
      "select",
      { id: "control-choice", class: "select", value: nameOf(control), onchange: choose },
      [["datacentre", "Datacentre"], ["slack", "Slack"]].map(([door, text]) =>
        h("optgroup", { label: text }, controls.filter((one) => one.door === door).map((one) => h("option", { key: nameOf(one), value: nameOf(one) }, one.label))),
      ),
    ),
    h("p", {}, control.meaning),
    h("div", { class: "control-fields", key: nameOf(control) }, drawFields(control.fields, form.values, `control-${control.door}-${control.do}`)),
    h("button", { type: "submit", class: "button button-small" }, "Do it"),
  );
}

function nameOf(control) {
  return `${control.door}/${control.do}`;
}

function drawFields(fields, values, prefix) {
  return fields.map((field) => {
    const id = `${prefix}-${field.name}`;
    if (field.kind === "group") return drawFields(field.fields, (values[field.name] ??= {}), id);
    const set = (value) => {
      values[field.name] = value;
      update({});
    };
    const shown = values[field.name] ?? field.default ?? "";
    return h("div", { key: id, class: "control-field" }, h("label", { for: id }, field.label, field.isOptional ? "" : " *"), drawInput(field, id, shown, set));
  });
}

function drawInput(field, id, shown, set) {
  const read = (event) => set(event.target.value);
  const choices = field.choices ?? (field.kind === "known" && field.from !== "methods" ? knownValues(field) : null);
  if (field.kind === "switch") return h("input", { id, type: "checkbox", checked: shown === true, onchange: (event) => set(event.target.checked) });
  if (choices && field.kind === "list") return h("select", { id, class: "select", multiple: true, onchange: (event) => set([...event.target.selectedOptions].map((option) => option.value)) }, drawOptions(choices));
  if (choices) {
    const isEmpty = field.isOptional || shown === "";
    return h("select", { id, class: "select", value: String(shown), required: !field.isOptional, onchange: read }, isEmpty && h("option", { value: "" }, field.isOptional ? "(none)" : "Choose…"), drawOptions(choices));
  }
  const list = field.kind === "known" ? `${id}-known` : null;
  return [
    h("input", {
      id,
      class: "field",
      type: field.kind === "number" && !field.words ? "number" : "text",
      min: field.min,
      max: field.max,
      step: field.isWhole ? "1" : "any",
      required: !field.isOptional,
      list,
      autocomplete: "off",
      spellcheck: "false",
      placeholder: field.words ? `a number, or ${field.words.join(", ")}` : field.kind === "list" ? "one, another, …" : null,
      value: Array.isArray(shown) ? shown.join(", ") : String(shown),
      oninput: read,
    }),
    list && h("datalist", { id: list }, knownValues(field).map(({ value }) => h("option", { value }))),
  ];
}

function drawOptions(choices) {
  return choices.map(({ value, label }) => h("option", { key: value, value }, label));
}

// What was left alone stays out of the request, so that the lab's own default counts.
function readValues(fields, values) {
  const request = {};
  for (const field of fields) {
    const value = field.kind === "group" ? readValues(field.fields, values[field.name] ?? {}) : readValue(field, values[field.name]);
    if (value !== undefined) request[field.name] = value;
  }
  return request;
}

function readValue(field, value) {
  if (value === undefined) return field.kind === "switch" && !field.isOptional ? false : undefined;
  if (field.kind === "number") return /^-?[\d.]+$/.test(value) ? Number(value) : value === "" ? undefined : value;
  if (field.kind === "list") return Array.isArray(value) ? value : value.split(",").map((one) => one.trim()).filter(Boolean);
  if (field.isAny) return readAny(value);
  return value === "" && field.isOptional ? undefined : value;
}

// A field of the datacentre may be of any type: what reads as JSON is that, anything else is a string.
function readAny(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
