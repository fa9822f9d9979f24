// The datacentre: pools, their hosts, their storage, and the guests on them, as they truly are. A guest that moves is
// seen to move.

import { drawBreakButton, drawFileServers, drawHostCard, hostMenu, listBroken } from "./breaking.js";
import { classes, h } from "./dom.js";
import { drawGuestCard, drawGuests, isGoneHost } from "./guests.js";
import { state, update } from "./store.js";
import { sayBytes } from "./units.js";

const MANY_GUESTS = 40;
const find = { words: "" };

/** Draws all pools: those of several hosts first. */
export function drawDatacentre() {
  const truth = state.datacentre;
  if (!truth) return h("p", { class: "waiting" }, "Waiting for the datacentre…");
  const hostsOf = new Map(truth.pools.map((pool) => [pool.uuid, truth.hosts.filter((host) => host.pool === pool.uuid)]));
  const pools = [...truth.pools].sort((one, other) => hostsOf.get(other.uuid).length - hostsOf.get(one.uuid).length);
  const guests = groupGuests(truth);
  return [
    truth.guests.length > MANY_GUESTS && drawFind(),
    (truth.dangers ?? []).map((danger) => h("p", { key: danger, class: "danger", role: "alert" }, danger)),
    h("div", { key: "pools", class: "pools" }, pools.map((pool) => drawPool(pool, hostsOf.get(pool.uuid), guests, truth)), find.words === "" && drawFileServers(truth)),
    find.words !== "" && guests.size === 0 && h("p", { key: "nothing", class: "waiting" }, "No guest has such a name."),
  ];
}

function drawFind() {
  const type = (event) => {
    find.words = event.target.value.toLowerCase();
    update({});
  };
  return h("input", { key: "find", type: "search", class: "field find-guest", placeholder: "Find a guest", "aria-label": "Find a guest", value: find.words, oninput: type });
}

// Guests by where they are: their host, or their pool when they run nowhere; and by where they are going.
function groupGuests(truth) {
  const groups = new Map();
  const put = (place, guest, isGhost) => {
    if (!groups.has(place)) groups.set(place, []);
    groups.get(place).push({ guest, isGhost });
  };
  for (const guest of truth.guests) {
    if (find.words && !guest.name.toLowerCase().includes(find.words)) continue;
    put(guest.host ?? guest.pool, guest, false);
    if (guest.target && guest.target !== guest.host) put(guest.target, guest, true);
  }
  return groups;
}

function drawPool(pool, hosts, guests, truth) {
  const isAlone = hosts.length === 1;
  const idle = guests.get(pool.uuid) ?? [];
  // While somebody looks for a guest, hosts without one that fits would only be in the way.
  const shown = find.words === "" ? hosts : hosts.filter((host) => guests.has(host.uuid));
  if (shown.length === 0 && idle.length === 0) return null;
  const storage = truth.srs.filter((sr) => sr.pool === pool.uuid && sr.content !== "iso");
  const name = pool.name || hosts[0]?.name || "";
  return h(
    "section",
    { key: pool.uuid, class: classes("pool", isAlone && "pool-alone"), "aria-label": `Pool ${name}` },
    !isAlone &&
      h(
        "header",
        { class: "pool-head" },
        h("h2", {}, h("span", { dir: "auto" }, name), h("small", {}, `pool of ${hosts.length} hosts`)),
        h("div", { class: "srs" }, storage.filter((sr) => sr.shared).map((sr) => drawStorage(sr, "shared"))),
      ),
    h("div", { class: "hosts" }, shown.map((host) => drawHost(host, [...(guests.get(host.uuid) ?? []), ...(isAlone ? idle : [])], storage, isAlone, truth))),
    !isAlone && idle.length > 0 && h("div", { class: "idle" }, h("span", { class: "idle-label" }, "Not running"), drawGuests(idle, "Guests that run nowhere")),
    drawGuestCard([...hosts.flatMap((host) => guests.get(host.uuid) ?? []), ...idle]),
  );
}

function drawStorage(sr, kind) {
  const size = Number(sr.size);
  const used = size > 0 ? Math.min(1, Math.max(0, 1 - Number(sr.free) / size)) : 0;
  const meaning = kind === "shared" ? "Storage that every host of the pool can use" : "Storage that only this host can use";
  return h(
    "div",
    { key: sr.uuid, class: classes("sr", `sr-${kind}`, (sr.hosts ?? []).length === 0 && "sr-gone"), title: meaning },
    h("span", { class: "sr-name", dir: "auto" }, sr.name),
    h("span", { class: "sr-bar", role: "meter", "aria-label": `${sr.name}, ${kind} storage in use`, "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.round(used * 100)) }, h("span", { class: classes("memory-used", used > 0.9 && "memory-tight"), style: { "--part": String(used) } })),
    h("span", {}, (sr.hosts ?? []).length === 0 ? "not attached" : `${sayBytes(sr.free)} free`),
  );
}

function drawHost(host, guests, storage, isAlone, truth) {
  const total = Number(host.memory_total);
  const free = Number(host.memory_free);
  const used = total > 0 ? Math.min(1, Math.max(0, 1 - free / total)) : 0;
  const local = storage.filter((sr) => !sr.shared && (sr.hosts ?? []).includes(host.uuid));
  const isGone = isGoneHost(host);
  return h(
    "section",
    { key: host.uuid, class: classes("host", isGone && "host-gone", host.enabled === false && "host-disabled"), "data-host": host.uuid, "aria-label": `Host ${host.name}` },
    h("header", { class: "host-head" }, h("h3", { dir: "auto", title: host.address }, host.name), drawBreakButton(host.name, hostMenu(host)), drawMarks(host, isAlone), drawBroken(host, truth)),
    drawHostCard(host, truth),
    h("p", { class: "host-facts" }, [isAlone ? "stands alone" : null, shortVendor(host.cpu_vendor), host.version].filter(Boolean).join(" · ")),
    h(
      "div",
      { class: "memory", role: "meter", "aria-label": `Memory of ${host.name} in use`, "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.round(used * 100)), "aria-valuetext": `${sayBytes(free)} of ${sayBytes(total)} free` },
      h("div", { class: classes("memory-used", used > 0.9 && "memory-tight"), style: { "--part": String(used) } }),
    ),
    h("p", { class: "memory-text" }, `${sayBytes(free)} of ${sayBytes(total)} memory free`),
    guests.length > 0 ? drawGuests(guests, `Guests on ${host.name}`, { isAlone, isGone }) : h("p", { class: "empty" }, "no guests"),
    local.map((sr) => drawStorage(sr, "local")),
  );
}

// A silent host does not answer; a dead one is one that XAPI has given up.
function drawMarks(host, isAlone) {
  return [
    host.coordinator && !isAlone && h("span", { class: "mark mark-coordinator", title: "Speaks for the pool" }, "coordinator"),
    host.enabled === false && h("span", { class: "mark mark-warn", title: "Takes no new guests" }, "disabled"),
    host.silent === true && h("span", { class: "mark mark-bad" }, "silent"),
    host.silent !== true && host.live === false && h("span", { class: "mark mark-bad" }, "dead"),
  ];
}

function drawBroken(host, truth) {
  return listBroken(host, truth).map((text) => h("span", { key: text, class: "mark mark-warn" }, text));
}

function shortVendor(vendor) {
  return { GenuineIntel: "Intel", AuthenticAMD: "AMD" }[vendor] ?? vendor;
}
