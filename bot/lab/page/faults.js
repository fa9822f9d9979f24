// "What goes wrong": the hands of a curious person on the bot, on Slack's side and on the hosts.

import { order } from "./api.js";
import { h } from "./dom.js";
import { state, update } from "./store.js";

const LOST_ANSWER = { do: "arm", fault: { method: "Async.VM.pool_migrate", action: "drop", when: "after" } };
const SPEEDS = [0.2, 1, 5, 20];

async function give(door, request, done) {
  update({ toast: null });
  const answer = await order(door, request);
  update({ toast: answer.ok === false ? answer.error : done });
}

function button(text, hint, press, style = "") {
  return h("button", { key: text, type: "button", class: `button ${style}`, title: hint, onclick: press }, text);
}

/** The state of the bot in the top bar, with the way back when it is down. */
export function drawBotState() {
  const truth = state.datacentre;
  if (!truth) return null;
  const bot = truth.bot;
  if (!bot) return h("span", { class: "bot-state", title: "This lab was started with --no-bot" }, h("i", { class: "lamp lamp-off" }), "no bot");
  if (bot.alive) return h("span", { class: "bot-state" }, h("i", { class: `lamp ${bot.ready ? "lamp-on" : "lamp-wait"}` }), bot.ready ? "bot running" : "bot starting");
  return h(
    "span",
    { class: "bot-state bot-down", role: "status" },
    h("i", { class: "lamp lamp-bad" }),
    h("span", { title: bot.ended }, "bot is down"),
    button("Start bot", bot.ended ?? "", () => give("bot", { do: "start" }, "The bot is running again."), "button-small"),
  );
}

/** The folded panel below the datacentre. */
export function drawFaults() {
  const truth = state.datacentre;
  if (!truth) return null;
  return h(
    "details",
    { class: "faults", key: "faults" },
    h("summary", {}, "What goes wrong", h("small", {}, "break something and watch")),
    h(
      "div",
      { class: "fault-groups" },
      truth.bot && drawBotGroup(truth.bot),
      drawSlackGroup(),
      drawHostGroup(truth),
      drawSpeedGroup(truth),
    ),
  );
}

function group(title, meaning, ...children) {
  return h("section", { key: title, class: "fault-group" }, h("h4", {}, title), h("p", {}, meaning), h("div", { class: "fault-buttons" }, children));
}

function drawBotGroup(bot) {
  return group(
    "The bot",
    "Kill it in the middle of a move: the move goes on, and the bot finds it again.",
    bot.alive
      ? button("Kill bot", "SIGKILL, as a crash would", () => give("bot", { do: "kill" }, "The bot was killed."), "button-danger")
      : button("Start bot", "", () => give("bot", { do: "start" }, "The bot is running again.")),
  );
}

function drawSlackGroup() {
  return group(
    "Slack",
    "What the network and Slack do on a bad day.",
    button("Drop sockets", "Breaks every connection of the bot", () => give("slack", { do: "drop_sockets" }, "The bot's connections were cut.")),
    button("Refuse connections", "The bot cannot come back until faults are cleared", () => give("slack", { do: "refuse_connections", on: true }, "New connections are refused.")),
    button("Next post: 429", "The bot must wait and send again", () => give("slack", { do: "fail", method: "chat.postMessage", kind: "429", times: 1, retry_after: 5 }, "The next post is answered with 429.")),
    button("Next post: answer lost", "It takes effect, the bot does not learn it", () => give("slack", { do: "fail", method: "chat.postMessage", kind: "drop_after" }, "The next post's answer will be lost.")),
    button("Clear Slack faults", "", () => give("slack", { do: "clear_faults" }, "Slack is well again.")),
  );
}

function drawHostGroup(truth) {
  return group(
    "Hosts",
    "Hosts die, coordinators change, sessions end.",
    h(
      "table",
      { class: "fault-hosts" },
      h(
        "tbody",
        {},
        truth.hosts.slice(0, 12).map((host) =>
          h(
            "tr",
            { key: host.uuid },
            h("th", { scope: "row", dir: "auto" }, host.name),
            h(
              "td",
              {},
              host.silent
                ? button("Start", "Switch it on again", () => give("datacentre", { do: "start_host", host: host.name }, `${host.name} is back.`), "button-small")
                : button("Kill", "As if its power were cut", () => give("datacentre", { do: "kill_host", host: host.name }, `${host.name} is dead.`), "button-small button-danger"),
              !host.coordinator &&
                button("Make coordinator", "Move the coordinator role here", () => give("datacentre", { do: "move_coordinator", host: host.name }, `${host.name} is the coordinator.`), "button-small"),
            ),
          ),
        ),
      ),
    ),
    button("Hold all work", "Every task stops where it is", () => give("datacentre", { do: "hold_tasks" }, "All work is held.")),
    button("Let work go on", "", () => give("datacentre", { do: "release_tasks" }, "Work goes on.")),
    button("Next move: answer lost", "The move begins, and its caller never learns it", () => give("datacentre", LOST_ANSWER, "The answer to the next move will be lost.")),
    button("Expire sessions", "Every client has to log in again", () => give("datacentre", { do: "expire_sessions" }, "All sessions have expired.")),
    button("Clear host faults", "", () => give("datacentre", { do: "clear_faults" }, "The hosts are well again.")),
  );
}

function drawSpeedGroup(truth) {
  return group(
    "Speed of the datacentre",
    "Slack's own deadlines stay as they are.",
    SPEEDS.map((speed) =>
      h("button", { key: String(speed), type: "button", class: "button button-small", "aria-pressed": String(truth.speed === speed), onclick: () => give("speed", { speed }, `The datacentre now runs ${speed} times as fast as a real one.`) }, `× ${speed}`),
    ),
  );
}
