// Guests: a chip for each, with what is being done to it, and a card with the facts and with what can be asked of it.

import { fill } from "./composer.js";
import { commandWords } from "./commands.js";
import { classes, h, icon } from "./dom.js";
import { rove } from "./rove.js";
import { state, update } from "./store.js";
import { sayBytes } from "./units.js";

const LARGE_WORLD = 400;
const SHOWN_IN_LARGE = 12;
const GLIDE_MS = [150, 2500];
const seen = new Map(); // guest → { part, at, glideMs }

const OPERATIONS = {
  pool_migrate: "moving",
  migrate_send: "moving with its disks",
  start: "starting",
  clean_shutdown: "shutting down",
  hard_shutdown: "stopping",
  clean_reboot: "rebooting",
  hard_reboot: "rebooting",
  suspend: "suspending",
  resume: "resuming",
  snapshot: "snapshot",
  export: "exporting",
};

/** Draws a list of guests and of those on their way here; on a host that `isAlone` nothing can move anyway, and of
 *  those on a host that `isGone` nobody knows whether they run. */
export function drawGuests(entries, label, { isAlone = false, isGone = false } = {}) {
  // In a large world a host shows what is busy and a few of the rest.
  const most = state.datacentre.guests.length > LARGE_WORLD ? SHOWN_IN_LARGE : LARGE_WORLD;
  const ordered = entries.length > most ? [...entries].sort((one, other) => Boolean(other.guest.operation) - Boolean(one.guest.operation)) : entries;
  const shown = ordered.slice(0, most).map(({ guest, isGhost }) => (isGhost ? drawGhost(guest) : drawGuest(guest, isAlone, isGone)));
  const hidden = entries.length - shown.length;
  return h("ul", { class: "guests", "aria-label": label, hook: rove }, shown, hidden > 0 && h("li", { key: "more", class: "empty" }, `and ${hidden} more`));
}

function sayDoing(guest) {
  return guest.operation ? (OPERATIONS[guest.operation] ?? guest.operation.replaceAll("_", " ")) : "";
}

function readPart(guest) {
  const part = Number(guest.progress);
  return guest.operation && guest.progress !== null && Number.isFinite(part) ? part : null;
}

function drawGuest(guest, isAlone, isGone) {
  const doing = sayDoing(guest);
  const part = readPart(guest);
  const power = String(guest.power_state).toLowerCase();
  const isOpen = state.menu === guestMenu(guest);
  const tags = [
    (guest.tags ?? []).includes("critical") && h("span", { class: "tag tag-critical" }, "critical"),
    power === "running" && guest.tools === false && h("span", { class: "tag", title: "No guest tools: it cannot be moved while it runs" }, "no tools"),
    guest.bound === true && !isAlone && h("span", { class: "tag", title: "A disk lies on storage that only one host can use" }, "local disk"),
    ["suspended", "paused"].includes(power) && h("span", { class: "tag" }, power),
  ];
  return h(
    "li",
    { key: guest.uuid, class: classes("guest", `guest-${power}`, isGone && "guest-unknown", doing && "guest-busy", isOpen && "guest-open"), "data-guest": guest.uuid },
    h(
      "button",
      { type: "button", class: "guest-button", "data-rove": true, "aria-expanded": String(isOpen), "aria-haspopup": "true", onclick: () => update({ menu: isOpen ? null : guestMenu(guest) }) },
      h("span", { class: "power", "aria-hidden": "true" }),
      h("span", { class: "guest-name", dir: "auto" }, guest.name),
      h("span", { class: "unseen" }, isGone ? ` last known ${power}; its host does not answer` : ` ${power}`),
      tags,
    ),
    doing && h("span", { class: "guest-doing" }, part === null ? doing : `${doing} ${Math.round(part * 100)} %`),
    doing && drawProgress(guest, doing, part),
  );
}

function drawProgress(guest, doing, part) {
  return h("span", {
    class: classes("guest-progress", part === null && "guest-progress-unknown"),
    role: "progressbar",
    "aria-label": `${guest.name} ${doing}`,
    "aria-valuemin": "0",
    "aria-valuemax": "100",
    "aria-valuenow": part === null ? null : String(Math.round(part * 100)),
    style: { "--part": String(part ?? 0), "--glide": `${glideOf(guest, part)}ms` },
  });
}

// The bar takes as long to the newest value as the value took to come: it moves evenly and is never ahead of the truth.
function glideOf(guest, part) {
  const now = performance.now();
  const before = seen.get(guest.uuid);
  if (before?.part === part) return before.glideMs;
  const waited = before && part > before.part ? now - before.at : 0;
  const glideMs = Math.round(Math.min(GLIDE_MS[1], Math.max(GLIDE_MS[0], waited)));
  seen.set(guest.uuid, { part, at: now, glideMs });
  return glideMs;
}

function drawGhost(guest) {
  return h("li", { key: `ghost-${guest.uuid}`, class: "guest guest-ghost", "aria-label": `${guest.name} is on its way here` }, h("span", { class: "power", "aria-hidden": "true" }), h("span", { class: "guest-name", dir: "auto" }, guest.name), h("span", { class: "guest-doing" }, "arriving"));
}

/** Whether a host is silent, or given up by XAPI. */
export function isGoneHost(host) {
  return host?.silent === true || host?.live === false;
}

function guestMenu(guest) {
  return `guest-${guest.uuid}`;
}

// A node that was just made has no place yet.
function showOnce(node, isNew) {
  if (isNew) queueMicrotask(() => node.scrollIntoView({ block: "nearest" }));
}

/** Draws an open card of something that has a name, with the button that closes it. */
export function drawCard(name, props, ...children) {
  return h(
    "section",
    { ...props, hook: showOnce },
    h("header", {}, h("strong", { dir: "auto" }, name), h("button", { type: "button", class: "icon-button", "aria-label": `Close the card of ${name}`, onclick: () => update({ menu: null }) }, icon("close"))),
    children,
  );
}

/** Draws the card of the guest that was opened, if it is one of these. */
export function drawGuestCard(entries) {
  const guest = entries.find((entry) => !entry.isGhost && state.menu === guestMenu(entry.guest))?.guest;
  if (!guest) return null;
  const { hosts } = state.datacentre;
  const host = hosts.find((one) => one.uuid === guest.host);
  const facts = [
    ["State", [guest.power_state.toLowerCase(), host && `on ${host.name}`, isGoneHost(host) && "(last known: the host does not answer)"].filter(Boolean).join(" ")],
    ["Memory", sayBytes(guest.memory)],
    ["Guest tools", guest.tools ? "in order" : "none"],
    ["Disks", guest.bound ? "one lies on one host only" : "on shared storage"],
    guest.tags?.length > 0 && ["Tags", guest.tags.join(", ")],
    ["UUID", guest.uuid],
  ].filter(Boolean);
  return drawCard(
    guest.name,
    { class: "guest-card", key: `card-${guest.uuid}`, "aria-label": `About ${guest.name}` },
    h("dl", {}, facts.map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, value)))),
    h("div", { class: "guest-asks" }, listAsks(guest, hosts).map((words) => h("button", { key: words, type: "button", class: "suggestion", title: "Puts this into the message field", onclick: () => ask(words) }, `${state.command} ${words}`))),
  );
}

// What the bot takes about a guest, with the words it needs already there.
function listAsks(guest, hosts) {
  const others = hosts.filter((host) => host.pool === guest.pool && host.uuid !== guest.host && !host.silent);
  const known = commandWords();
  const moves = known.includes("migrate") && guest.power_state === "Running" ? others.slice(0, 3).map((host) => `migrate ${guest.name} to ${host.name}`) : [];
  return [...["status", "why"].filter((word) => known.includes(word)).map((word) => `${word} ${guest.name}`), ...moves];
}

function ask(words) {
  const place = state.place === "home" ? state.channels[0]?.id : state.place;
  update({ menu: null, tab: "chat", place });
  if (place) fill(place, `${state.command} ${words}`);
}
