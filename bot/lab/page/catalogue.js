// What can be done to the lab, as the lab itself describes it: the datacentre's door in JSON Schema, the workplace's as
// a list. Both become one list of controls: { door, do, label, meaning, fields: [{ name, label, kind, … }] }.

import { loadControls, loadWorkplace } from "./api.js";
import { state, update } from "./store.js";

let controls = null;
let methods = {};

/** The controls of all doors; empty until they are loaded. */
export function listControls() {
  if (controls === null) {
    controls = [];
    void load();
  }
  return controls;
}

async function load() {
  const [doors, workplace] = await Promise.all([loadControls(), loadWorkplace()]);
  const described = Object.entries(doors).flatMap(([door, { schema, methods: names }]) => {
    methods[door] = names;
    return readSchema(door, schema);
  });
  const listed = (workplace?.controls ?? []).map((control) => ({ door: "slack", ...control, fields: control.fields.map((field) => ({ ...field, isOptional: !field.required })) }));
  controls = [...described, ...listed];
  update({ workplace });
}

/** Asks again what is armed and switched on Slack's side. */
export async function refreshWorkplace() {
  update({ workplace: (await loadWorkplace()) ?? state.workplace });
}

function readSchema(door, schema) {
  return Object.entries(schema.discriminator?.mapping ?? {}).map(([name, ref]) => {
    const kind = schema.$defs[ref.split("/").at(-1)];
    const fields = readFields(kind, schema, door);
    return { door, do: name, label: titleOf(name, kind), meaning: firstLine(kind.description), fields };
  });
}

// A title that is only the name of a class says less than the words of the control.
function titleOf(name, kind) {
  return kind.title?.includes(" ") ? kind.title : sentence(name);
}

function firstLine(text) {
  return (text ?? "").split("\n\n")[0].replaceAll(/\s+/g, " ").replaceAll("`", "");
}

function sentence(name) {
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

function readFields(kind, schema, door) {
  const required = new Set(kind.required ?? []);
  return Object.entries(kind.properties ?? {})
    .filter(([name]) => name !== "do")
    .map(([name, property]) => {
      const nested = schema.$defs[property.$ref?.split("/").at(-1) ?? property.allOf?.[0]?.$ref?.split("/").at(-1)];
      const field = { name, label: property.title ?? sentence(name), isOptional: !required.has(name), default: property.default };
      if (nested) return { ...field, kind: "group", fields: readFields(nested, schema, door) };
      return { ...field, ...readShape(property, door, name) };
    });
}

function readShape(property, door, name) {
  const options = property.anyOf ?? [property];
  const numeric = options.find((one) => ["integer", "number"].includes(one.type));
  // The empty word is what a choice that is left alone stands for.
  const words = options.flatMap((one) => one.enum ?? []).filter((word) => word !== "");
  const source = property["x-from"] ?? (name === "method" ? "methods" : null);
  if (source) return { kind: "known", from: source, door };
  if (numeric && words.length > 0) return { kind: "number", min: numeric.minimum, words };
  if (numeric) return { kind: "number", min: numeric.minimum ?? numeric.exclusiveMinimum, max: numeric.maximum, isWhole: numeric.type === "integer" };
  if (words.length > 0) return { kind: "choice", choices: words.map((word) => ({ value: word, label: sentence(String(word)) })) };
  if (options.some((one) => one.type === "boolean")) return { kind: "switch" };
  if (options.some((one) => one.type === "array")) return { kind: "list" };
  return { kind: "text", isAny: property.type === undefined };
}

/** What a field may take that the lab knows now: [{ value, label }]. Objects of one name are told apart by where they
 *  are, and given by UUID. */
export function knownValues({ from, door }) {
  if (from === "methods") return (methods[door] ?? []).map((name) => ({ value: name, label: name }));
  const known = state.datacentre?.[from] ?? [];
  const count = Map.groupBy(known, (one) => one.name);
  const values = known.map((one) => (count.get(one.name).length > 1 && one.uuid ? { value: one.uuid, label: `${one.name} (${sayPlace(one)})` } : { value: one.name, label: one.name }));
  return values.filter((one, index) => values.findIndex((other) => other.value === one.value) === index);
}

function sayPlace(one) {
  const { hosts, pools } = state.datacentre;
  const on = hosts.filter((host) => host.uuid === one.host || (one.hosts ?? []).includes(host.uuid)).map((host) => host.name);
  const pool = pools.find((each) => each.uuid === one.pool);
  const place = on.length > 0 ? `on ${on.join(", ")}` : `in ${pool?.name || hosts.find((host) => host.pool === one.pool)?.name || "no pool"}, on no host`;
  return `${place}, ${one.uuid.slice(0, 8)}`;
}
