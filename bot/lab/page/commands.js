// What may follow the slash command: its words as the bot's own help has them, and the names that fit where a person
// is typing. Names come from the datacentre, as anybody who looks at it would read them.

import { loadCommands } from "./api.js";
import { state } from "./store.js";
import { sayBytes } from "./units.js";

const SHOWN = 9;
let hints = [];

/** Loads the bot's commands: [{ word, usage, help, example }]. */
export async function loadHints() {
  hints = await loadCommands();
}

/** The words that the bot knows. */
export function commandWords() {
  return hints.map((hint) => hint.word);
}

/** The suggestions for a text that is being typed: [{ key, text, label, more, meaning }], best first. `text` replaces
 *  the whole of what was typed. */
export function suggest(typed, command) {
  if (!typed.startsWith("/") || typed.includes("\n")) return [];
  const [first, ...rest] = typed.split(" ");
  if (rest.length === 0) return command.startsWith(first) ? hints.map((hint) => suggestWord(hint, command)) : [];
  if (first !== command) return [];
  const word = rest[0].toLowerCase();
  if (rest.length === 1) return hints.filter((hint) => hint.word.startsWith(word) && hint.word !== word).map((hint) => suggestWord(hint, command));
  const hint = hints.find((one) => one.word === word);
  return hint ? suggestArguments(hint, `${first} ${rest[0]}`, typed.slice(first.length + rest[0].length + 2)) : [];
}

function suggestWord({ word, usage, help }, command) {
  const more = usage.slice(word.length).trim();
  return { key: word, text: `${command} ${word}${more ? " " : ""}`, label: `${command} ${word}`, more, meaning: help.split(". ")[0].replace(/\.$/, "") };
}

// A usage such as "migrate <vm> to <host> [reason …]" says what each keyword asks for: ["", vm], ["to", host], …
function readUsage({ word, usage }) {
  // "[without tools]" is one choice of two words; the brackets of all else say only that it may be left out.
  const plain = usage.slice(word.length).replaceAll(/\[(\w+(?: \w+)+)\]/g, (_whole, phrase) => ` ${phrase.replaceAll(" ", "_")} `);
  const parts = plain.replaceAll(/[[\]]/g, " ").match(/<[^>]*>|\S+/g) ?? [];
  const slots = [];
  let keyword = "";
  parts.forEach((part, index) => {
    const isFollowed = /^[<…]/.test(parts[index + 1] ?? "");
    if (/^[<…]/.test(part) || part.includes("|") || (part in KINDS && !isFollowed)) {
      slots.push({ keyword, isFree: part.startsWith("…"), kinds: part.replaceAll(/[<>…]/g, "").split("|").filter(Boolean) });
      keyword = "";
    } else if (isFollowed) keyword = part;
    else slots.push({ keyword: part.replaceAll("_", " "), kinds: [] });
  });
  return slots;
}

function suggestArguments(hint, head, typed) {
  const slots = readUsage(hint);
  const words = typed.split(" ");
  const keywords = new Set(slots.map((slot) => slot.keyword).filter(Boolean));
  const at = words.slice(0, -1).findLastIndex((word) => keywords.has(word.toLowerCase()));
  const keyword = at < 0 ? "" : words[at].toLowerCase();
  const slot = slots.find((one) => one.keyword === keyword);
  const segment = words.slice(at + 1).join(" ").replace(/^"/, "");
  const before = [head, ...words.slice(0, at + 1)].join(" ");
  const names = (slot?.kinds ?? []).flatMap((kind) => KINDS[kind]?.(typed) ?? [{ name: kind, meaning: "" }]);
  const whole = names.map(({ name }) => name).filter((name) => segment.startsWith(`${name} `) || segment.startsWith(`${name}" `));
  const isOver = whole.length > 0 || (slot !== undefined && slot.keyword !== "" && slot.kinds.length === 0 && !slot.isFree);
  if (isOver) return suggestKeywords(slots, words, `${head} ${typed}`);
  const next = slots.some((one) => one.keyword) ? " " : "";
  return rankByName(names, (one) => one.name, segment.toLowerCase())
    .filter(({ name }) => name !== segment)
    .slice(0, SHOWN)
    .map(({ name, meaning }, index) => ({ key: `${name} ${index}`, text: `${before} ${quote(name, keywords)}${next}`, label: name, more: "", meaning }));
}

function suggestKeywords(slots, words, typed) {
  const begun = words.at(-1).toLowerCase();
  const given = new Set(words.slice(0, -1).map((word) => word.toLowerCase()));
  const before = typed.slice(0, typed.length - begun.length);
  return slots
    .filter(({ keyword }) => keyword && keyword.startsWith(begun) && keyword !== begun && !given.has(keyword.split(" ")[0]))
    .map(({ keyword, kinds, isFree }) => ({ key: keyword, text: `${before}${keyword} `, label: keyword, more: isFree ? "…" : kinds.map((kind) => `<${kind}>`).join(" "), meaning: "" }));
}

// A name that holds a word of the command itself is quoted, so that it stays one name.
function quote(name, keywords) {
  const isTricky = name.split(/\s+/).some((word) => keywords.has(word.toLowerCase())) || /^\s|\s$|\s{2}|^-/.test(name);
  return isTricky && !name.includes('"') ? `"${name}"` : name;
}

// Those that begin with what was typed, then those that hold it.
function rankByName(entries, nameOf, typed) {
  const begins = entries.filter((entry) => nameOf(entry).toLowerCase().startsWith(typed));
  const holds = entries.filter((entry) => !begins.includes(entry) && nameOf(entry).toLowerCase().includes(typed));
  return [...begins, ...holds];
}

const KINDS = {
  vm: () => truth("guests").map((guest) => ({ name: guest.name, meaning: [guest.power_state.toLowerCase(), hostName(guest.host), sayBytes(guest.memory)].filter(Boolean).join(" · ") })),
  host: listHosts,
  pool: () => truth("pools").filter((pool) => pool.name).map((pool) => ({ name: pool.name, meaning: `pool of ${pool.hosts.length} ${pool.hosts.length === 1 ? "host" : "hosts"}` })),
  sr: () => truth("srs").map((sr) => ({ name: sr.name, meaning: `${sr.shared ? "shared" : "local"} · ${sayBytes(sr.free)} free` })),
  command: () => hints.map((hint) => ({ name: hint.word, meaning: "" })),
  job: () => [],
};

function truth(kind) {
  return state.datacentre?.[kind] ?? [];
}

function hostName(uuid) {
  const host = truth("hosts").find((one) => one.uuid === uuid);
  return host ? `on ${host.name}` : "";
}

// Where a guest can go comes first: the other hosts of its pool.
function listHosts(typed) {
  const guest = truth("guests").find((one) => typed.startsWith(`${one.name} `));
  const rank = (host) => (guest === undefined ? 0 : Number(host.pool !== guest.pool) * 2 + Number(host.uuid === guest.host));
  return [...truth("hosts")]
    .sort((one, other) => rank(one) - rank(other))
    .map((host) => ({ name: host.name, meaning: guest && host.uuid === guest.host ? `${guest.name} runs here` : `${sayBytes(host.memory_free)} free` }));
}
