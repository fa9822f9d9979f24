// Who wrote a message, how they look, and the switch that lets one person act as another.

import { classes, h, icon } from "./dom.js";
import { walkMenu } from "./rove.js";
import { me, state, update } from "./store.js";

const MAY = {
  operator: "Asks for changes and confirms them",
  operator2: "A second operator",
  approver: "Decides on risky changes others asked for",
  approver2: "A second approver",
  admin: "Operator who may also freeze and resolve",
  viewer: "May look, not change",
  guest: "Guest of one channel, who is refused",
  outsider: "Member of another workspace, who is refused",
};

/** What a person of the lab may do, in a few words. */
export function describeRole(person) {
  return MAY[person.key] ?? person.role_hint ?? "";
}

/** The author of a message: { name, isApp, tint }. */
export function authorOf(message) {
  if (message.bot_id || (state.bot && message.user === state.bot.id)) {
    return { name: message.username ?? message.bot_profile?.name ?? state.bot?.name ?? "app", isApp: true, tint: "app" };
  }
  const person = state.people.find((one) => one.id === message.user);
  if (person) return { name: person.name, isApp: false, tint: tintOf(person.key) };
  const isSlackbot = message.user === "USLACKBOT" || !message.user;
  return { name: isSlackbot ? "Slackbot" : message.user, isApp: isSlackbot, tint: "system" };
}

function tintOf(key) {
  const keys = Object.keys(MAY);
  return String((keys.indexOf(key) + keys.length) % keys.length);
}

/** A square with initials; xenbot has its own mark. */
export function drawAvatar(author, isSmall = false) {
  const initials = author.tint === "app" ? "xb" : author.name.slice(0, 1).toUpperCase() + (/\d$/.exec(author.name)?.[0] ?? "");
  return h("span", { class: classes("avatar", `tint-${author.tint}`, isSmall && "avatar-small"), "data-initials": initials, "aria-hidden": "true" });
}

/** The switch "acting as …" with everyone's role. */
export function drawSwitch(actAs) {
  const person = me();
  if (!person) return null;
  const isOpen = state.menu === "people";
  const author = { name: person.name, tint: tintOf(person.key) };
  return h(
    "div",
    { class: "switch" },
    h(
      "button",
      {
        type: "button",
        class: "switch-button",
        "aria-haspopup": "menu",
        "aria-expanded": String(isOpen),
        "aria-label": `You act as ${person.name}. Act as someone else`,
        onclick: () => update({ menu: isOpen ? null : "people" }),
      },
      drawAvatar(author, true),
      h("span", { class: "switch-text" }, h("small", {}, "You act as"), " ", h("strong", {}, person.name)),
      icon("down"),
    ),
    isOpen &&
      h(
        "div",
        { class: "menu menu-people", role: "menu", "aria-label": "Act as", hook: focusChosen, onkeydown: walkMenu },
        state.people.map((one) =>
          h(
            "button",
            {
              key: one.key,
              type: "button",
              role: "menuitemradio",
              "aria-checked": String(one.key === state.me),
              onclick: () => {
                update({ menu: null });
                actAs(one.key);
              },
            },
            drawAvatar({ name: one.name, tint: tintOf(one.key) }, true),
            h("span", {}, h("strong", {}, one.name), h("small", {}, describeRole(one))),
          ),
        ),
      ),
  );
}

function focusChosen(node, isNew) {
  if (isNew) queueMicrotask(() => node.querySelector('[aria-checked="true"]')?.focus());
}
