// The state of the page: one object, changed through `update`, drawn once per frame by whoever subscribed.

export const state = {
  people: [],
  me: null, // key of the person the page acts as
  team: "",
  command: "/xen",
  bot: null, // { id, name }
  channels: [],
  place: null, // id of the open channel, or "home"
  screens: {}, // channel id → what lab.screen answered
  read: {}, // channel id → ts of the newest message seen
  newFrom: {}, // channel id → ts of the newest message that was read when the channel was opened with news in it
  thread: null, // { channel, ts }
  threadMessages: [],
  threads: {}, // person/channel/ts → ts of the newest reply that was seen
  home: null,
  views: [],
  closing: {}, // view id → true while the app is told
  fieldErrors: {}, // view id → { block id: sentence }
  viewFailed: {}, // view id → sentence
  busy: {}, // control → "busy" | "failed"
  confirm: null,
  isGuideUnfolded: false,
  menu: null, // id of the open menu
  datacentre: null,
  connected: null, // false once the stream to the lab has broken
  tab: "chat", // on a phone: chat | thread | datacentre
  guide: true,
  taken: [], // commands that the bot has acknowledged: { words, at }
  asked: null, // the last command of this tab: { person, channel, text, ackMs }
  dock: null, // what stands below the datacentre: "faults" | "wire"
  workplace: null, // what the lab tells of Slack's faults and switches
  status: "", // what a screen reader hears
  toast: null,
  newBelow: {}, // lists with something new below what is in sight: person/place → true
};

const drawers = [];
let scheduled = false;

/** Calls `draw` after each change, once per frame. */
export function onChange(draw) {
  drawers.push(draw);
}

/** Merges `changes` into the state and has the page drawn. */
export function update(changes) {
  Object.assign(state, changes);
  if (scheduled) return;
  scheduled = true;
  const run = () => {
    scheduled = false;
    for (const draw of drawers) draw();
  };
  // A hidden tab gets no frames, yet must not fall behind.
  if (document.hidden) setTimeout(run, 0);
  else requestAnimationFrame(run);
}

/** Says something to a screen reader. */
export function announce(text) {
  update({ status: text });
}

/** The person the page acts as. */
export function me() {
  return state.people.find((person) => person.key === state.me) ?? null;
}

/** Remembers something for this tab, or for this browser when `lasting`; a browser may refuse both. */
export function remember(name, value, lasting = false) {
  try {
    (lasting ? localStorage : sessionStorage).setItem(`xenbot-lab-${name}`, value);
  } catch {
    return;
  }
}

/** What `remember` kept, or null. */
export function recall(name, lasting = false) {
  try {
    return (lasting ? localStorage : sessionStorage).getItem(`xenbot-lab-${name}`);
  } catch {
    return null;
  }
}
