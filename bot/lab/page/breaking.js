// What a person can break of one host or of one file server and mend again: the marks of what is broken, and a card
// with a button for each thing that says what it would do now.

import { give } from "./control_form.js";
import { classes, h } from "./dom.js";
import { drawCard } from "./guests.js";
import { state, update } from "./store.js";
import { sayBytes } from "./units.js";

const SKEW_S = 60;
const SOON_DAYS = 5;
const LONG_DAYS = 30;
const STARVED_MIB = 1024;
const BUSY_LOAD = 20;
const SHORT_MIB = 64;
const ON_LUNS = ["lvmoiscsi", "lvmohba"];
const MANY_STORAGES = 4;
const LOST_FILES = { own: "its own certificate lost", pool: "not among its pool's certificates", bundle: "its pool's certificates lost" };

/** What is broken of a host, in few words each. */
export function listBroken(host, truth) {
  const cut = (host.cards ?? []).filter((card) => !card.link).map((card) => `${card.device} has no link`);
  const missing = storagesOf(host, truth).filter((sr) => isUnplugged(host, sr)).map((sr) => `${sr.name} unplugged`);
  return [
    host.cut === true && "network cut",
    Number(host.clock_ahead) !== 0 && `clock ${sayAhead(Number(host.clock_ahead))}`,
    ...cut,
    ...missing,
    isEnding(host) && (host.certificate_days <= 0 ? "certificate ended" : `certificate ends in ${Math.round(host.certificate_days)} days`),
    isStarved(host) && `dom0 has ${sayBytes(host.dom0_memory)}`,
    host.dom0_strained === true && "dom0 is strained",
    host.licensing === false && "licence daemon stopped",
    LOST_FILES[host.lost_file],
    ...lostPaths(host).map((one) => `${one.up} of ${one.of} paths to ${nameOf(one.sr, truth)}`),
  ].filter(Boolean);
}

function sayAhead(seconds) {
  return seconds > 0 ? `${seconds} s ahead` : `${-seconds} s behind`;
}

function storagesOf(host, truth) {
  return truth.srs.filter((sr) => sr.pool === host.pool && sr.shared && sr.content !== "iso");
}

function isUnplugged(host, sr) {
  return (host.unplugged ?? []).includes(sr.uuid);
}

function isEnding(host) {
  return host.certificate_days !== null && host.certificate_days < LONG_DAYS;
}

function isStarved(host) {
  return Number(host.dom0_memory) < Number(host.dom0_usual);
}

function lostPaths(host) {
  return (host.paths ?? []).filter((one) => one.up < one.of);
}

function nameOf(sr, truth) {
  return truth.srs.find((one) => one.uuid === sr)?.name ?? "its boot disk";
}

function drawHostSwitches(host, truth) {
  const one = switchesOf({ host: host.name });
  const onLun = storagesOf(host, truth).filter((sr) => ON_LUNS.includes(sr.type));
  return [
    one(Number(host.clock_ahead) !== 0, "Set its clock a minute ahead", "Set its clock right", { do: "skew_clock", seconds: SKEW_S }, { do: "skew_clock", seconds: 0 }),
    ...storagesOf(host, truth).slice(0, MANY_STORAGES).map((sr) => one(isUnplugged(host, sr), `Unplug ${sr.name}`, `Plug ${sr.name}`, { do: "unplug_pbd", sr: sr.uuid }, { do: "plug_pbd", sr: sr.uuid })),
    ...(host.cards ?? []).map(({ device, link }) => one(!link, `Pull the cable of ${device}`, `Put the cable of ${device} back`, { do: "carrier", device, link: "down" }, { do: "carrier", device, link: "up" })),
    one(isEnding(host), `Let its certificate end in ${SOON_DAYS} days`, "Give it a good certificate", { do: "certificate", days: SOON_DAYS }, { do: "certificate" }),
    one(isStarved(host), "Leave its dom0 1 GiB of memory", "Give its dom0 its memory back", { do: "dom0_memory", mib: STARVED_MIB }, { do: "dom0_memory" }),
    one(host.dom0_strained === true, "Let its dom0 be busy and short of memory", "Let its dom0 rest", { do: "strain_dom0", load: BUSY_LOAD, free_mib: SHORT_MIB }, { do: "strain_dom0" }),
    one(host.licensing === false, "Stop its licence daemon", "Start its licence daemon", { do: "licence_daemon", daemon: "stopped" }, { do: "licence_daemon", daemon: "running" }),
    one(host.lost_file === "own", "Lose its own certificate", "Bring its own certificate back", { do: "certificate_file", file: "own" }, { do: "certificate_file" }),
    ...[{ name: "its boot disk", uuid: null }, ...onLun].map((sr) => drawPathSwitch(host, sr, one)),
    one(host.cut === true, "Cut its network", "Connect it again", { do: "cut_network" }, { do: "restore_network" }),
    one(host.alive === false, "Cut its power", "Give it power", { do: "kill_host" }, { do: "start_host" }),
  ];
}

function drawPathSwitch(host, sr, one) {
  const where = sr.uuid === null ? {} : { sr: sr.uuid };
  return one(lostPaths(host).some((lost) => lost.sr === sr.uuid), `Lose a path to ${sr.name}`, `Bring back the path to ${sr.name}`, { do: "paths", ...where, up: 1, of: 2 }, { do: "paths", ...where, up: 2, of: 2 });
}

/** The button that opens the card of a host or a file server. */
export function drawBreakButton(name, menu) {
  const isOpen = state.menu === menu;
  return h(
    "button",
    { type: "button", class: "break-button", "aria-expanded": String(isOpen), "aria-haspopup": "true", "aria-label": `Break ${name}`, title: `Break something of ${name}, or mend it`, onclick: () => update({ menu: isOpen ? null : menu }) },
    "Break…",
  );
}

/** The name of a host's card in the state of the page. */
export function hostMenu(host) {
  return `host-${host.uuid}`;
}

/** The card of a host, while it is open. */
export function drawHostCard(host, truth) {
  if (state.menu !== hostMenu(host)) return null;
  return drawBreakCard(host.name, h("div", { class: "break-group" }, drawHostSwitches(host, truth)));
}

function drawBreakCard(name, ...children) {
  return drawCard(name, { class: "guest-card break-card", key: `break-${name}`, "aria-label": `What can break of ${name}` }, children);
}

// What draws the switches of one thing, each with what it asks for: to break it, or to mend what is broken. The key of each is
// what it says while all is well, so that the focus stays on it when it says the other.
function switchesOf(about) {
  return (isBroken, breaks, mends, broken, mended) => {
    const text = isBroken ? mends : breaks;
    const request = { ...about, ...(isBroken ? mended : broken) };
    return h("button", { key: breaks, type: "button", class: classes("button", "button-small", isBroken && "button-primary"), onclick: () => give("datacentre", request, `Done: ${text.toLowerCase()}.`) }, text);
  };
}

/** All file servers of the world. */
export function drawFileServers(truth) {
  const servers = truth.nfs_servers ?? [];
  if (servers.length === 0) return null;
  return h("section", { key: "nfs-servers", class: "pool nfs-servers", "aria-label": "NFS servers" }, servers.map((server) => drawFileServer(server)));
}

function drawFileServer(server) {
  const menu = `nfs-${server.name}`;
  return h(
    "div",
    { key: server.name, class: "nfs-server" },
    h("header", { class: "host-head" }, h("h3", { dir: "auto", title: server.address }, server.name), drawBreakButton(server.name, menu), h("small", {}, "NFS server"), listTrouble(server).map((text) => h("span", { key: text, class: "mark mark-warn" }, text))),
    h("ul", { class: "nfs-exports", "aria-label": `Exports of ${server.name}` }, server.exports.map((one) => h("li", { key: one.path }, h("span", { class: "sr-name" }, one.path), h("small", {}, sayExport(one))))),
    state.menu === menu && drawBreakCard(server.name, h("div", { class: "break-group" }, drawServerSwitches(server)), server.exports.map((one) => drawExportSwitches(server, one))),
  );
}

function listTrouble(server) {
  return [server.rpcbind === "stopped" && "rpcbind stopped", server.nfs === "stopped" && "NFS stopped", server.gone && "answers nothing", server.speed === "slow" && "slow", !server.known && "not in DNS"].filter(Boolean);
}

function sayExport(one) {
  const marks = [!one.there && "withdrawn", one.read_only && "read-only", one.root_squash && "root_squash", one.full && "full"].filter(Boolean);
  const found = one.repositories.length;
  return [sayBytes(one.size), found === 0 ? "no storage" : found === 1 ? "1 storage" : `${found} storages`, ...marks].join(" · ");
}

function drawServerSwitches(server) {
  const one = switchesOf({ do: "nfs", server: server.name });
  return [
    one(server.rpcbind === "stopped", "Stop rpcbind", "Start rpcbind", { rpcbind: "stopped" }, { rpcbind: "running" }),
    one(server.nfs === "stopped", "Stop NFS", "Start NFS", { nfs: "stopped" }, { nfs: "running" }),
    one(server.gone, "Let it answer nothing", "Let it answer again", { gone: true }, { gone: false }),
    one(server.speed === "slow", "Slow it down", "Let it be quick again", { speed: "slow" }, { speed: "normal" }),
    one(!server.known, "Take its name out of DNS", "Put its name into DNS", { address: "unknown" }, { address: "known" }),
  ];
}

function drawExportSwitches(server, { path, there, read_only, root_squash, full }) {
  const one = switchesOf({ do: "nfs", server: server.name, path });
  return h(
    "div",
    { key: path, class: "break-group", role: "group", "aria-label": path },
    h("strong", {}, path),
    one(!there, "Withdraw it", "Export it again", { export: "missing" }, { export: "there" }),
    one(read_only, "Make it read-only", "Make it writable", { read_only: true }, { read_only: false }),
    one(root_squash, "Squash root", "Trust root", { root_squash: true }, { root_squash: false }),
    one(full, "Fill it", "Empty it", { full: true }, { full: false }),
  );
}
