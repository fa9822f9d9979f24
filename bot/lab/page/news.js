// What a screen reader hears of the datacentre: that a guest begins to move and where it is then, that a host is gone
// and back, and what became of the bot. Not each step of progress.

import { announce } from "./store.js";

/** Says what changed between two truths that somebody would want to hear. */
export function tellNews(before, after) {
  if (!before) return;
  const said = [...tellGuests(before, after), ...tellHosts(before, after), ...tellBot(before.bot, after.bot)];
  if (said.length > 0) announce(said.join(". "));
}

function tellGuests(before, after) {
  const were = new Map(before.guests.map((guest) => [guest.uuid, guest]));
  const names = new Map(after.hosts.map((host) => [host.uuid, host.name]));
  return after.guests.flatMap((guest) => {
    const was = were.get(guest.uuid);
    if (!was || (was.host === guest.host && was.target === guest.target && was.power_state === guest.power_state)) return [];
    if (guest.target && !was.target) return [`${guest.name} begins to move to ${names.get(guest.target)}`];
    if (guest.host && was.host !== guest.host) return [`${guest.name} runs on ${names.get(guest.host)}`];
    return was.power_state === guest.power_state ? [] : [`${guest.name} is ${guest.power_state.toLowerCase()}`];
  });
}

function tellHosts(before, after) {
  const were = new Map(before.hosts.map((host) => [host.uuid, host.silent]));
  return after.hosts.filter((host) => were.has(host.uuid) && were.get(host.uuid) !== host.silent).map((host) => `${host.name} ${host.silent ? "is silent" : "answers again"}`);
}

function tellBot(before, after) {
  if (!before || !after || (before.alive === after.alive && before.ready === after.ready)) return [];
  return [after.alive ? (after.ready ? "The bot is running" : "The bot is starting") : "The bot is down"];
}
