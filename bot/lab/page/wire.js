// "What crossed the wire": the last frames and calls to Slack and to the hosts, on demand. It asks every second while
// it is open, since most frames change no screen, and never while it is folded away.

import { call } from "./api.js";
import { classes, h } from "./dom.js";
import { me, state, update } from "./store.js";

const KEPT = 150;
const PAUSE_MS = 1000;
const wire = { timer: null, entries: [], seen: 0 };

const SAYS = {
  xapi: ["→ XAPI", "A call that changes something, as a host heard it"],
  http: ["→ Slack", "A call of the Web API"],
  frame_out: ["→ bot", "A frame that Slack sent to the bot"],
  frame_in: ["→ Slack", "A frame that the bot sent to Slack"],
  delivery: ["→ bot", "A request that Slack posted to the bot"],
  response_url: ["→ Slack", "The bot answered to a response URL"],
  socket: ["socket", "A connection came or went"],
  fault: ["fault", "Something that was broken on purpose"],
  warning: ["warning", "Legal, but hardly what the sender meant"],
};

async function ask() {
  const answer = await call("lab.log", me().token, { since: wire.seen });
  if (!answer.ok || answer.entries.length === 0) return;
  // The page's own questions would bury what the bot says.
  const news = answer.entries.filter((entry) => entry.n > wire.seen && !/\blab\.(screen|channels|log)\b/.test(entry.what));
  wire.seen = answer.entries.at(-1)?.n ?? wire.seen;
  wire.entries = [...wire.entries, ...news].slice(-KEPT);
  update({});
}

/** Draws the folded list. */
export function drawWire() {
  if (!state.datacentre) return null;
  const entries = wire.timer === null ? [] : [...wire.entries, ...listCalls()].sort((one, other) => other.at - one.at);
  const toggle = (event) => {
    if (event.target !== event.currentTarget) return;
    clearInterval(wire.timer);
    if (!event.target.open) return;
    void ask();
    wire.timer = setInterval(ask, PAUSE_MS);
  };
  return h(
    "details",
    { class: "faults", key: "wire", ontoggle: toggle },
    h("summary", {}, "What crossed the wire", h("small", {}, "to and from the bot")),
    h(
      "div",
      { class: "wire", role: "list" },
      entries.length === 0 && h("p", { class: "empty" }, "Nothing yet."),
      entries.map(drawEntry),
    ),
  );
}

// The calls that change something, as the hosts heard them; looking is not listed there.
function listCalls() {
  const times = new Map();
  return (state.datacentre.calls ?? []).map(({ method, when, ...detail }) => {
    const name = `${when} ${detail.host} ${method}`;
    times.set(name, (times.get(name) ?? 0) + 1);
    return { n: `${name} ${times.get(name)}`, at: Date.parse(when) / 1000, kind: "xapi", what: `${method}: ${detail.outcome}`, ...detail };
  });
}

function drawEntry(entry) {
  const { n, at, kind, what, ...detail } = entry;
  const [says, meaning] = SAYS[kind] ?? [kind, ""];
  const time = new Date(at * 1000).toISOString().slice(11, 23);
  return h(
    "details",
    { key: String(n), class: classes("entry", `entry-${kind}`), role: "listitem", memo: n },
    h("summary", {}, h("time", {}, time), h("span", { class: "mark", title: meaning }, says), h("span", { class: "what" }, what)),
    h("pre", {}, JSON.stringify(detail, null, 2)),
  );
}
