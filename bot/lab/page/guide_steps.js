// The three steps of the guide: what is asked, and what has happened of it. They fit the datacentre that is there.

import { recall, remember, state } from "./store.js";

let plan = null; // { lab, guest, from, to, refused, done }

/** The steps as they stand: [{ name, words, says, now, isDone }]; null before the datacentre is known. */
export function followGuide() {
  if (!state.datacentre || !state.me) return null;
  plan ??= readPlan() ?? makePlan();
  const steps = [watchStatus(), watchMove(), watchRefusal()].filter(Boolean);
  const done = steps.filter((step) => step.isDone).map((step) => step.name);
  if (done.length !== plan.done.length) {
    plan.done = done;
    remember("guide-plan", JSON.stringify(plan));
  }
  return steps;
}

// The tokens of a lab are made anew at each start, so that one of them names the lab.
function labName() {
  return state.people[0]?.id + state.people[0]?.token.slice(-12);
}

function readPlan() {
  const kept = JSON.parse(recall("guide-plan") ?? "null");
  return kept?.lab === labName() ? kept : null;
}

function makePlan() {
  const { guests, hosts } = state.datacentre;
  const others = (guest) => hosts.filter((host) => host.pool === guest.pool && host.uuid !== guest.host);
  const movable = guests.filter((guest) => guest.host && guest.tools && others(guest).length > 0);
  const guest = movable.find((one) => one.name === "centos54") ?? movable[0] ?? null;
  const target = guest && others(guest).sort((one, other) => Number(other.memory_free) - Number(one.memory_free))[0];
  const bound = guests.find((one) => one.name === "web-local" && others(one).length > 0) ?? null;
  return {
    lab: labName(),
    guest: guest && { uuid: guest.uuid, name: guest.name, from: nameOf(guest.host) },
    to: target ? { uuid: target.uuid, name: target.name } : null,
    refused: bound && { name: bound.name, to: others(bound)[0].name },
    done: [],
  };
}

function nameOf(uuid) {
  return state.datacentre.hosts.find((host) => host.uuid === uuid)?.name ?? "";
}

// Answered: the bot took the words, and a line only this person sees came after them.
function wasAnswered(words) {
  return state.taken.some(({ words: taken, at }) => taken.startsWith(words) && Object.values(state.screens).some((screen) => screen.messages.some((message) => message.is_ephemeral && Number.parseFloat(message.ts) >= at)));
}

function wasDone(name) {
  return plan.done.includes(name);
}

function watchStatus() {
  const isDone = wasDone("status") || wasAnswered("status");
  return { name: "status", words: "status", isDone, now: "", says: isDone ? "The answer came from what the bot knows already; only you see it." : "Asks how every pool is doing. Nothing changes, and only you see the answer." };
}

function watchMove() {
  const { guest, to } = plan;
  if (!guest || !to) return null;
  const truth = state.datacentre.guests.find((one) => one.uuid === guest.uuid);
  const isDone = wasDone("move") || truth?.host === to.uuid;
  const says = isDone ? `${guest.name} ran on ${guest.from} and runs on ${to.name} now. It never stopped.` : `Asks to move ${guest.name} to another host. You see every check first; it starts when you press Confirm.`;
  return { name: "move", words: `migrate ${guest.name} to ${to.name}`, isDone, now: isDone ? "" : sayMove(truth, guest, to), says };
}

const MOVES = new Set(["pool_migrate", "migrate_send"]);

function sayMove(truth, guest, to) {
  if (MOVES.has(truth?.operation)) {
    const part = truth.progress === null ? "" : ` ${Math.round(Number(truth.progress) * 100)} %`;
    return `Watch the datacentre: ${guest.name} is on its way to ${to.name}.${part}`;
  }
  const isWaiting = Object.values(state.screens).some((screen) => screen.messages.some((message) => hasConfirm(message, guest.name, to.name)));
  return isWaiting ? "Now press Confirm on the card below; a dialogue asks once more, so Confirm there too." : "";
}

// A card of something else about that guest, such as its backup, is none that moves it.
function hasConfirm(message, ...names) {
  const buttons = (message.blocks ?? []).flatMap((block) => block.elements ?? []).filter((element) => element.type === "button");
  return buttons.some((button) => button.text?.text === "Confirm") && names.every((name) => (message.text ?? "").includes(name));
}

function watchRefusal() {
  if (!plan.refused) {
    const isDone = wasDone("audit") || wasAnswered("audit");
    return { name: "audit", words: "audit", isDone, now: "", says: isDone ? "Every request and every decision is in the record." : "Shows who asked for what and who decided; the record cannot be changed unseen." };
  }
  const words = `migrate ${plan.refused.name} to ${plan.refused.to}`;
  const isDone = wasDone("refusal") || wasAnswered(words);
  return { name: "refusal", words, isDone, now: "", says: isDone ? "Refused, with the fact that stops it and what can be done instead." : "Asks for something that cannot work: its disk is on one host only. See how xenbot refuses." };
}
