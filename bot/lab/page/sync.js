// Keeps the state in step with the lab: who is here, what the acting person sees, and the datacentre's truth.

import { call, follow, loadPeople } from "./api.js";
import { loadHints } from "./commands.js";
import { tellNews } from "./news.js";
import { me, recall, remember, state, update } from "./store.js";

let leaveStream = null;
let asking = null;
let isStale = false;
let isBroken = false;

/** Loads who is here and begins to follow both streams. */
export async function begin() {
  const { team, people, channels, command, bot, usergroups } = await loadPeople();
  const groups = Object.fromEntries((usergroups ?? []).map((group) => [group.id, group.handle ?? group.name]));
  update({ team, people, channels, command: command ?? "/xen", bot: bot ? { id: bot.user_id, name: bot.name } : null, groups, guide: recall("guide", true) !== "hidden" });
  void loadHints();
  follow("/lab/datacentre/stream", { state: takeTruth }, noticeRestart);
  const kept = recall("me");
  await actAs(people.some((person) => person.key === kept) ? kept : people[0].key);
}

// A lab that was started again at the same address has other people with other tokens: the page begins anew.
async function noticeRestart(isConnected) {
  const wasBroken = isBroken;
  isBroken = !isConnected;
  if (!isConnected || !wasBroken) return;
  // It may end again meanwhile; then the next connection asks.
  const now = await loadPeople().catch(() => null);
  if (now && now.people[0]?.token !== state.people[0]?.token) location.reload();
}

function takeTruth(data) {
  const datacentre = JSON.parse(data);
  tellNews(state.datacentre, datacentre);
  update({ datacentre });
}

/** Makes the page act as another person, who sees another screen. */
export function actAs(key) {
  remember("me", key);
  leaveStream?.();
  update({ me: key, screens: {}, read: {}, newFrom: {}, thread: null, threadMessages: [], home: null, views: [], busy: {}, toast: null, menu: null, status: `You act as ${key}` });
  const token = me().token;
  leaveStream = follow(`/lab/stream?token=${encodeURIComponent(token)}`, { screen: refresh }, (connected) => {
    update({ connected });
    if (connected) refresh();
  });
  return loadChannels(key);
}

async function loadChannels(key) {
  const answer = await call("lab.channels", me().token);
  if (key !== state.me) return;
  const channels = answer.ok ? answer.channels : state.channels;
  const place = channels.some((channel) => channel.id === state.place) ? state.place : (channels[0]?.id ?? null);
  update({ channels, place });
  refresh();
}

document.addEventListener("visibilitychange", () => void refresh());

/** Opens a channel, or the app's home. */
export function open(place) {
  const opened = state.channels.find((channel) => channel.id === place);
  state.newFrom = opened && Number(opened.unread) > 0 ? { [place]: opened.last_read } : {};
  update({ place, thread: null, threadMessages: [], tab: "chat", menu: null });
  const isDirect = state.channels.some((channel) => channel.id === place && channel.is_im);
  // The app is told that its home or its messages were opened, as Slack tells it.
  if (place === "home" || isDirect) void call("lab.home", me().token, { tab: isDirect ? "messages" : "home" });
  refresh();
}

/** Opens the thread below a message. */
export function openThread(ts) {
  update({ thread: { channel: state.place, ts }, threadMessages: [], tab: state.tab === "chat" ? "thread" : state.tab });
  refresh();
}

/** Closes the thread pane. */
export function closeThread() {
  update({ thread: null, threadMessages: [], tab: "chat" });
}

/** Asks for everything on the screen; calls that come while one is under way become one more. */
export function refresh() {
  isStale = true;
  asking ??= askUntilFresh().finally(() => {
    asking = null;
  });
  return asking;
}

async function askUntilFresh() {
  while (isStale) {
    isStale = false;
    await ask();
  }
}

async function ask() {
  const person = me();
  const { place, thread } = state;
  if (!person || !place) return;
  const asked = [call("lab.screen", person.token, place === "home" ? {} : { channel: place })];
  asked.push(thread ? call("lab.screen", person.token, { channel: thread.channel, thread_ts: thread.ts }) : null);
  asked.push(call("lab.channels", person.token));
  const [screen, replies, list] = await Promise.all(asked);
  if (person.key !== state.me || place !== state.place) {
    isStale = true;
    return;
  }
  const changes = {};
  if (screen.ok) {
    changes.views = screen.views ?? [];
    changes.home = screen.home ?? null;
    changes.closing = keepOpen(state.closing, changes.views);
    if (place !== "home") changes.screens = { ...state.screens, [place]: screen };
  }
  if (list.ok) changes.channels = list.channels;
  if (replies?.ok && thread === state.thread) changes.threadMessages = replies.messages;
  update(changes);
  if (screen.ok && place !== "home") markRead(person, place, screen.messages);
}

// What is on the screen of someone who looks has been read.
function markRead(person, place, messages) {
  const newest = messages.at(-1)?.ts;
  if (!newest || document.hidden || newest <= (state.read[place] ?? "")) return;
  state.read[place] = newest;
  void call("conversations.mark", person.token, { channel: place, ts: newest });
}

// A view that was closed here and is open again was opened anew by the app.
function keepOpen(closing, views) {
  const ids = new Set(views.map((view) => view.id));
  return Object.fromEntries(Object.entries(closing).filter(([id]) => ids.has(id)));
}
