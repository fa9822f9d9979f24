// The datacentre: pools, their hosts, and the guests on them, as they truly are. A guest that moves is seen to move.

import { classes, h } from "./dom.js";
import { state } from "./store.js";

const LARGE_WORLD = 400;

/** "4 GiB" for bytes. */
export function sayBytes(bytes) {
  const gib = Number(bytes) / 2 ** 30;
  if (!Number.isFinite(gib)) return "?";
  if (gib >= 1024) return `${(gib / 1024).toFixed(1)} TiB`;
  return gib >= 10 ? `${Math.round(gib)} GiB` : `${gib.toFixed(1).replace(/\.0$/, "")} GiB`;
}

/** Draws all pools: those of several hosts first. */
export function drawDatacentre() {
  const truth = state.datacentre;
  if (!truth) return h("p", { class: "waiting" }, "Waiting for the datacentre…");
  const hostsOf = new Map(truth.pools.map((pool) => [pool.uuid, truth.hosts.filter((host) => host.pool === pool.uuid)]));
  const pools = [...truth.pools].sort((one, other) => hostsOf.get(other.uuid).length - hostsOf.get(one.uuid).length);
  const guests = groupGuests(truth);
  return h(
    "div",
    { class: "pools" },
    pools.map((pool) => drawPool(pool, hostsOf.get(pool.uuid), guests, truth)),
  );
}

// Guests by where they are: their host, or their pool when they run nowhere; and by where they are going.
function groupGuests(truth) {
  const groups = new Map();
  const put = (place, guest, isGhost) => {
    if (!groups.has(place)) groups.set(place, []);
    groups.get(place).push({ guest, isGhost });
  };
  for (const guest of truth.guests) {
    put(guest.host ?? guest.pool, guest, false);
    if (guest.target && guest.target !== guest.host) put(guest.target, guest, true);
  }
  return groups;
}

function drawPool(pool, hosts, guests, truth) {
  const isAlone = hosts.length === 1;
  const idle = guests.get(pool.uuid) ?? [];
  const shared = truth.srs.filter((sr) => sr.pool === pool.uuid && sr.shared);
  const name = pool.name || hosts[0]?.name || "";
  return h(
    "section",
    { key: pool.uuid, class: classes("pool", isAlone && "pool-alone"), "aria-label": `Pool ${name}` },
    !isAlone &&
      h(
        "header",
        { class: "pool-head" },
        h("h3", {}, h("span", { dir: "auto" }, name), h("small", {}, `pool of ${hosts.length} hosts`)),
        shared.map((sr) => h("span", { key: sr.uuid, class: "sr", title: "Storage that every host of the pool can use" }, `${sr.name}${sr.free === undefined ? "" : ` · ${sayBytes(sr.free)} free`}`)),
      ),
    h("div", { class: "hosts" }, hosts.map((host) => drawHost(host, [...(guests.get(host.uuid) ?? []), ...(isAlone ? idle : [])], isAlone))),
    !isAlone && idle.length > 0 && h("div", { class: "idle", role: "list", "aria-label": "Guests that run nowhere" }, h("span", { class: "idle-label" }, "Not running"), drawGuests(idle)),
  );
}

function drawHost(host, guests, isAlone) {
  const total = Number(host.memory_total);
  const free = Number(host.memory_free);
  const used = total > 0 ? Math.min(1, Math.max(0, 1 - free / total)) : 0;
  const isSilent = host.silent === true;
  const isDead = host.live === false;
  const marks = [
    host.coordinator && !isAlone && h("span", { class: "mark mark-coordinator", title: "Speaks for the pool" }, "coordinator"),
    host.enabled === false && h("span", { class: "mark mark-warn" }, "disabled"),
    isSilent && h("span", { class: "mark mark-bad" }, "silent"),
    !isSilent && isDead && h("span", { class: "mark mark-bad" }, "dead"),
  ];
  return h(
    "section",
    { key: host.uuid, class: classes("host", (isSilent || isDead) && "host-gone", host.enabled === false && "host-disabled"), "data-host": host.uuid, "aria-label": `Host ${host.name}` },
    h("header", { class: "host-head" }, h("h4", { dir: "auto", title: host.address }, host.name), marks),
    h("p", { class: "host-facts" }, [isAlone ? "stands alone" : null, shortVendor(host.cpu_vendor), host.version].filter(Boolean).join(" · ")),
    h(
      "div",
      { class: "memory", role: "meter", "aria-label": "Memory in use", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.round(used * 100)), "aria-valuetext": `${sayBytes(free)} of ${sayBytes(total)} free` },
      h("div", { class: classes("memory-used", used > 0.9 && "memory-tight"), style: { "--part": String(used) } }),
    ),
    h("p", { class: "memory-text" }, `${sayBytes(free)} of ${sayBytes(total)} free`),
    h("div", { class: "guests", role: "list", "aria-label": `Guests on ${host.name}` }, guests.length > 0 ? drawGuests(guests) : h("span", { class: "empty" }, "no guests")),
  );
}

function shortVendor(vendor) {
  return { GenuineIntel: "Intel", AuthenticAMD: "AMD" }[vendor] ?? vendor;
}

function drawGuests(entries) {
  // In a large world a host shows what is busy and a few of the rest.
  const most = state.datacentre.guests.length > LARGE_WORLD ? 12 : LARGE_WORLD;
  const ordered = entries.length > most ? [...entries].sort((one, other) => Boolean(other.guest.operation) - Boolean(one.guest.operation)) : entries;
  const shown = ordered.slice(0, most).map(({ guest, isGhost }) => (isGhost ? drawGhost(guest) : drawGuest(guest)));
  const hidden = entries.length - shown.length;
  return hidden > 0 ? [...shown, h("span", { key: "more", class: "empty" }, `and ${hidden} more`)] : shown;
}

const OPERATIONS = {
  pool_migrate: "moving",
  migrate_send: "moving with its disks",
  start: "starting",
  clean_shutdown: "shutting down",
  hard_shutdown: "stopping",
  clean_reboot: "rebooting",
  suspend: "suspending",
  resume: "resuming",
  snapshot: "snapshot",
  export: "exporting",
};

function drawGuest(guest) {
  const isBusy = Boolean(guest.operation);
  const part = Number(guest.progress);
  const percent = isBusy && Number.isFinite(part) && guest.progress !== null ? Math.round(part * 100) : null;
  const power = String(guest.power_state).toLowerCase();
  const doing = isBusy ? (OPERATIONS[guest.operation] ?? guest.operation.replaceAll("_", " ")) : "";
  const isCritical = (guest.tags ?? []).includes("critical");
  const isBare = power === "running" && (guest.tools === false || guest.tools === "none" || guest.tools === "missing");
  const label = [guest.name, power, sayBytes(guest.memory), isCritical && "critical", isBare && "no guest tools", doing && `${doing} ${percent ?? ""} percent`];
  return h(
    "div",
    { key: guest.uuid, role: "listitem", class: classes("guest", `guest-${power}`, isBusy && "guest-busy"), "data-guest": guest.uuid, title: label.filter(Boolean).join(" · ") },
    h("span", { class: "power", "aria-hidden": "true" }),
    h("span", { class: "guest-name", dir: "auto" }, guest.name),
    isCritical && h("span", { class: "tag tag-critical" }, "critical"),
    isBare && h("span", { class: "tag" }, "no tools"),
    power === "suspended" && h("span", { class: "tag" }, "suspended"),
    power === "paused" && h("span", { class: "tag" }, "paused"),
    isBusy && h("span", { class: "guest-doing" }, percent === null ? doing : `${doing} ${percent} %`),
    isBusy &&
      h("span", { class: "guest-progress", role: "progressbar", "aria-label": `${guest.name} ${doing}`, "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": percent === null ? null : String(percent), style: { "--part": String(percent === null ? 0 : part) } }),
  );
}

function drawGhost(guest) {
  return h("div", { key: `ghost-${guest.uuid}`, role: "listitem", class: "guest guest-ghost", "aria-label": `${guest.name} is on its way here` }, h("span", { class: "power", "aria-hidden": "true" }), h("span", { class: "guest-name", dir: "auto" }, guest.name), h("span", { class: "guest-doing" }, "arriving"));
}
