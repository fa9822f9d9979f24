// "What goes wrong": the hands of a curious person on the bot, on Slack's side and on the hosts.

import { drawArmed, armedFaults } from "./armed.js";
import { drawControlForm, give } from "./control_form.js";
import { h } from "./dom.js";
import { state } from "./store.js";

const LOST_ANSWER = { do: "arm", fault: { method: "Async.VM.pool_migrate", action: "drop", when: "after", name: "next move: answer lost" } };
const SOME_BYTES = 1024 * 1024;
const STREAM_FAULTS = [
  ["Next export: cut", "The connection ends in the middle, as with a host that dies", { stream: "GET /export", action: "cut", after: SOME_BYTES, name: "next export: cut" }],
  ["Next export: error inside", "The server's error page comes in the middle of the data", { stream: "GET /export", action: "fail", after: SOME_BYTES, name: "next export: error inside" }],
  ["Next export: wrong block", "A block does not have the digest that follows it", { stream: "GET /export", action: "wrong_companion", after: SOME_BYTES, name: "next export: wrong block" }],
  ["Next export: ends early", "The archive stops, and the server calls it a success", { stream: "GET /export", action: "end_early", after: SOME_BYTES, name: "next export: ends early" }],
  ["Next export: silence", "Nothing comes for two minutes of the datacentre's time", { stream: "GET /export", action: "silence", after: SOME_BYTES, seconds: 120, name: "next export: silence" }],
  ["Next export: sent elsewhere", "The host sends the client to an address that is no host of the pool", { stream: "GET /export", action: "redirect", name: "next export: sent elsewhere" }],
  ["Next import: storage full", "The storage has no more room in the middle of the data", { stream: "PUT /import", action: "storage_full", after: SOME_BYTES, name: "next import: storage full" }],
];
const SPEEDS = [0.2, 1, 5, 20];
const MOST_HOSTS = 12;

function button(text, hint, press, style = "") {
  return h("button", { key: text, type: "button", class: `button button-small ${style}`, title: hint, onclick: press }, text);
}

/** How many faults are armed now. */
export function countArmed() {
  return armedFaults().length;
}

/** The state of the bot in the top bar, with the way back when it is down. */
export function drawBotState() {
  const truth = state.datacentre;
  if (!truth) return null;
  const bot = truth.bot;
  if (state.connected === false) return h("span", { class: "bot-state", title: "What is known of the bot is old: the lab does not answer" }, h("i", { class: "lamp lamp-off" }), "bot unknown");
  if (!bot) return h("span", { class: "bot-state", title: "This lab was started with --no-bot" }, h("i", { class: "lamp lamp-off" }), "no bot");
  if (bot.alive) return h("span", { class: "bot-state" }, h("i", { class: `lamp ${bot.ready ? "lamp-on" : "lamp-wait"}` }), bot.ready ? "bot running" : "bot starting");
  return h(
    "span",
    { class: "bot-state bot-down" },
    h("i", { class: "lamp lamp-bad" }),
    h("span", { title: bot.ended }, "bot is down"),
    button("Start bot", bot.ended ?? "", startBot),
  );
}

function startBot() {
  return give("bot", { do: "start" }, "The bot is running again.");
}

/** The panel. */
export function drawFaults() {
  const truth = state.datacentre;
  return h("div", { class: "fault-groups" }, drawArmed(), truth.bot && drawBotGroup(truth.bot), drawSlackGroup(), drawHostGroup(truth), drawStreamGroup(), drawSpeedGroup(truth), drawAnyGroup());
}

function group(title, meaning, ...children) {
  return h("section", { key: title, class: "fault-group" }, h("h3", {}, title), h("p", {}, meaning), h("div", { class: "fault-buttons" }, children));
}

function drawBotGroup(bot) {
  const stage = bot.alive ? (bot.ready ? "It runs." : "It is starting…") : `It is down: ${bot.ended}.`;
  return group(
    "The bot",
    `Confirm a move, kill the bot while the guest is on its way, and start it again: the move goes on without it, and the bot finds it and finishes the card. ${stage}`,
    bot.alive ? button("Kill bot", "SIGKILL, as a crash would", () => give("bot", { do: "kill" }, "The bot was killed."), "button-danger") : button("Start bot", "", startBot, "button-primary"),
  );
}

function drawSlackGroup() {
  const isRefusing = state.workplace?.switches?.refuse_connections === true;
  return group(
    "Slack",
    "What the network and Slack do on a bad day.",
    button("Drop sockets", "Breaks every connection of the bot", () => give("slack", { do: "drop_sockets" }, "The bot's connections were cut.")),
    h("button", { key: "refuse", type: "button", class: "button button-small", "aria-pressed": String(isRefusing), title: "The bot cannot come back until they are let in again", onclick: () => give("slack", { do: "refuse_connections", on: !isRefusing }, isRefusing ? "New connections are let in." : "New connections are refused.") }, "Refuse connections"),
    button("Next post: 429", "The bot must wait and send again", () => give("slack", { do: "fail", method: "chat.postMessage", kind: "429", times: 1, retry_after: 5 }, "The next post is answered with 429.")),
    button("Next post: answer lost", "It takes effect, the bot does not learn it", () => give("slack", { do: "fail", method: "chat.postMessage", kind: "drop_after" }, "The next post's answer will be lost.")),
    button("Clear Slack faults", "", () => give("slack", { do: "clear_faults" }, "Slack is well again.")),
  );
}

function drawHostGroup(truth) {
  return group(
    "Hosts",
    "Hosts die, coordinators change, sessions end.",
    h("table", { class: "fault-hosts" }, h("tbody", {}, truth.hosts.slice(0, MOST_HOSTS).map((host) => drawHostRow(host, truth)))),
    button("Hold all work", "Every task stops where it is", () => give("datacentre", { do: "hold_tasks" }, "All work is held.")),
    button("Let work go on", "", () => give("datacentre", { do: "release_tasks" }, "Work goes on.")),
    button("Next move: answer lost", "The move begins, and its caller never learns it", () => give("datacentre", LOST_ANSWER, "The answer to the next move will be lost.")),
    button("Expire sessions", "Every client has to log in again", () => give("datacentre", { do: "expire_sessions" }, "All sessions have expired.")),
    button("Clear host faults", "", () => give("datacentre", { do: "clear_faults" }, "The hosts are well again.")),
  );
}

function drawStreamGroup() {
  return group(
    "Backups and restores",
    "What goes wrong in the middle of a stream, once. By hand there is more: other places, other errors, as often as you like.",
    STREAM_FAULTS.map(([text, hint, fault]) => button(text, hint, () => give("datacentre", { do: "arm_stream", fault }, `Armed: ${fault.name}.`))),
  );
}

function drawHostRow(host, truth) {
  const isAlone = truth.hosts.every((other) => other.pool !== host.pool || other === host);
  return h(
    "tr",
    { key: host.uuid },
    h("th", { scope: "row", dir: "auto" }, host.name),
    h(
      "td",
      {},
      host.silent
        ? hostButton("Start", host, "Switch it on again", () => give("datacentre", { do: "start_host", host: host.name }, `${host.name} is back.`))
        : hostButton("Kill", host, "As if its power were cut", () => give("datacentre", { do: "kill_host", host: host.name }, `${host.name} is dead.`), "button-danger"),
      !host.coordinator && !host.silent && !isAlone && button("Make coordinator", `Move the coordinator role to ${host.name}`, () => give("datacentre", { do: "move_coordinator", host: host.name }, `${host.name} is the coordinator.`)),
    ),
  );
}

function hostButton(text, host, hint, press, style = "") {
  return h("button", { key: text, type: "button", class: `button button-small ${style}`, title: hint, onclick: press }, text, h("span", { class: "unseen" }, ` ${host.name}`));
}

function drawSpeedGroup(truth) {
  const speeds = [...new Set([...SPEEDS, truth.speed])].sort((one, other) => one - other);
  return group(
    "Time in the datacentre",
    "Slack's own deadlines stay as they are. Slow it down, or stop it, to have time to break something.",
    drawClock(truth.clock),
    speeds.map((speed) =>
      h("button", { key: String(speed), type: "button", class: "button button-small", "aria-pressed": String(truth.speed === speed), onclick: () => give("speed", { speed }, `The datacentre now runs ${speed} times as fast as a real one.`) }, `× ${speed}`),
    ),
  );
}

function drawClock(clock) {
  if (!clock) return null;
  const turn = clock.running ? { do: "stop_clock" } : { do: "run_clock" };
  return [
    h("button", { key: "clock", type: "button", class: "button button-small", "aria-pressed": String(!clock.running), onclick: () => give("datacentre", turn, clock.running ? "Time stands still in the datacentre." : "Time passes again in the datacentre.") }, "Stop the clock"),
    !clock.running && button("Let a minute pass", "Everything that happens in it happens now", () => give("datacentre", { do: "advance", seconds: 60 }, "A minute has passed in the datacentre.")),
  ];
}

function drawAnyGroup() {
  return h("section", { key: "any", class: "fault-group" }, h("h3", {}, "By hand"), drawControlForm());
}
