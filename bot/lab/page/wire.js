// What crossed the wire on both sides, brought into one shape and one order of time: Slack's frames and requests, the
// calls to the hosts, and what was broken on purpose. It is asked for only while somebody looks.

import { call, loadCalls } from "./api.js";
import { fillEmoji } from "./emoji.js";
import { me, update } from "./store.js";

const KEPT = 600;
const PAUSE_MS = 1000;
const wire = { timer: null, entries: [], seen: { slack: 0, xapi: 0 }, sent: new Map() };

/** The entries so far, oldest first: { key, at, kind, from, to, what, note, isBad, detail }. */
export function wireEntries() {
  return wire.entries;
}

/** Begins to ask, or stops. */
export function watchWire(isWatched) {
  if (isWatched === (wire.timer !== null)) return;
  clearInterval(wire.timer);
  wire.timer = isWatched ? setInterval(ask, PAUSE_MS) : null;
  if (isWatched) void ask();
}

/** Forgets what was seen so far. */
export function clearWire() {
  wire.entries = [];
  update({});
}

async function ask() {
  const [slack, calls] = await Promise.all([call("lab.log", me().token, { since: wire.seen.slack }), loadCalls(wire.seen.xapi)]);
  // An answer that another one overtook brings nothing twice.
  const frames = (slack.entries ?? []).filter((entry) => entry.n > wire.seen.slack);
  const heard = calls.filter((entry) => entry.n > wire.seen.xapi);
  wire.seen = { slack: frames.at(-1)?.n ?? wire.seen.slack, xapi: heard.at(-1)?.n ?? wire.seen.xapi };
  const news = [...frames.map(readSlack), ...heard.map(readCall)];
  if (news.length === 0) return;
  wire.entries = [...wire.entries, ...news].sort((one, other) => one.at - other.at).slice(-KEPT);
  update({});
}

function readSlack(entry) {
  const { n, at, kind, what, ...detail } = entry;
  const shape = SLACK[kind] ?? ((one) => ({ kind: "slack", from: "Slack", to: "", what: one.what }));
  return { key: `s${n}`, at, note: "", isBad: false, detail, ...shape(entry) };
}

const SLACK = {
  http: readRequest,
  response_url: readRequest,
  frame_out: readFrame,
  delivery: readFrame,
  frame_in: readAck,
  socket: ({ what }) => ({ kind: "slack", from: "bot", to: "Slack", what }),
  fault: ({ what }) => ({ kind: "fault", from: "", to: "Slack", what }),
  warning: ({ what }) => ({ kind: "fault", from: "", to: "Slack", what, isBad: true }),
};

function readRequest(entry) {
  const isPerson = entry.by !== undefined && !["bot", "app", "none"].includes(entry.by);
  const failed = entry.outcome && !["ok", "sent"].includes(entry.outcome) ? entry.outcome : (entry.answer?.error ?? (entry.status >= 400 ? `HTTP ${entry.status}` : ""));
  const note = [failed, entry.ms >= 1 ? `${Math.round(entry.ms)} ms` : "", sayText(entry.request?.text)].filter(Boolean).join(" · ");
  return { kind: isPerson ? "person" : "slack", from: isPerson ? entry.by : "bot", to: "Slack", what: entry.what, note, isBad: Boolean(failed) };
}

function readFrame(entry) {
  const payload = entry.frame?.payload ?? {};
  if (entry.frame?.envelope_id) wire.sent.set(entry.frame.envelope_id, { what: entry.frame.type, at: entry.at });
  const action = payload.actions?.[0];
  const said = payload.command ? `${payload.command} ${payload.text}` : (action?.text?.text ?? action?.action_id ?? payload.event?.type ?? payload.view?.callback_id ?? payload.reason ?? "");
  return { kind: "slack", from: "Slack", to: "bot", what: entry.what, note: sayText(said), isBad: /no socket/.test(entry.what) };
}

function readAck(entry) {
  const asked = wire.sent.get(entry.frame?.envelope_id);
  const took = asked ? `${Math.max(1, Math.round((entry.at - asked.at) * 1000))} ms` : "";
  return { kind: "slack", from: "bot", to: "Slack", what: asked ? `${entry.what} of ${asked.what}` : entry.what, note: took };
}

function readCall(entry) {
  const { n, at, kind, method, fault, ...detail } = entry;
  if (kind === "fault") return { key: `x${n}`, at, kind: "fault", from: "", to: "hosts", what: `${fault.name}: ${fault.action} ${fault.when} ${method}`, note: "", isBad: true, detail: { fault } };
  const isBad = !["done", "unanswered"].includes(entry.outcome);
  const note = [entry.outcome === "done" ? "" : entry.outcome, entry.took_ms >= 1 ? `${Math.round(entry.took_ms)} ms` : "", sayParams(entry.params)].filter(Boolean).join(" · ");
  return { key: `x${n}`, at, kind: entry.changes ? "change" : "look", from: entry.user || "someone", to: entry.host, what: method, note, isBad, detail };
}

function sayParams(params) {
  return sayText((params ?? []).slice(1).filter((one) => typeof one === "string" && !/^(OpaqueRef:|[\d,]+$)/.test(one)).join(", "));
}

function sayText(text) {
  const line = fillEmoji(String(text ?? "")).replaceAll(/\s+/g, " ");
  return line.length > 90 ? `${line.slice(0, 89)}…` : line;
}
