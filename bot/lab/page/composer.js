// Where people type: messages of one or more lines, and slash commands with what can follow them. Arrow-up in an empty
// field brings back what was sent before.

import { call } from "./api.js";
import { suggest } from "./commands.js";
import { classes, h, icon } from "./dom.js";
import { isEnter } from "./elements.js";
import { showEnd } from "./follow.js";
import { rememberSent, walkSent } from "./history.js";
import { me, state, update } from "./store.js";

const TALLEST_PX = 180;
const NONE = -1;

const drafts = new Map(); // place → text
const filled = new Map(); // place → the suggestion that was put there
const asking = { place: null, active: NONE };

/** Puts a suggestion into the composer of a place, moves the cursor to its end, and says that it is not sent yet. */
export function fill(place, text) {
  filled.set(place, text);
  bringBack(place, text);
}

function bringBack(place, text) {
  put(place, text);
  asking.place = null;
}

/** Whether the composer of a place holds a suggestion as it was filled in. */
export function isFilled(place) {
  return filled.has(place) && drafts.get(place) === filled.get(place);
}

function put(place, text) {
  drafts.set(place, text);
  update({});
  const show = () => {
    const field = fieldOf(place);
    if (!field || drafts.get(place) !== text) return;
    field.value = text;
    field.focus();
    field.setSelectionRange(text.length, text.length);
  };
  show();
  // On a phone the composer is only there once the pane has changed.
  requestAnimationFrame(() => requestAnimationFrame(show));
}

function fieldOf(place) {
  return document.querySelector(`[data-composer="${CSS.escape(place)}"]`);
}

/** Draws the composer of a channel or, with `threadTs`, of a thread. */
export function drawComposer(channel, threadTs, label) {
  const place = threadTs ? `${channel}/${threadTs}` : channel;
  const text = drafts.get(place) ?? "";
  const words = asking.place === place && !threadTs ? suggest(text, state.command) : [];
  const listId = `words-${place}`.replace(/\W/g, "-");
  const send = () => void submit(channel, threadTs, place);
  const pick = (word) => {
    put(place, word.text);
    Object.assign(asking, { place: word.text.endsWith(" ") ? place : null, active: NONE });
  };
  return h(
    "form",
    { class: "composer", key: `composer-${place}`, onsubmit: (event) => (event.preventDefault(), send()) },
    words.length > 0 && drawWords(words, listId, pick),
    h("textarea", {
      key: "text",
      "data-composer": place,
      rows: "1",
      "aria-label": label,
      "aria-autocomplete": words.length > 0 ? "list" : null,
      "aria-haspopup": words.length > 0 ? "listbox" : null,
      "aria-controls": words.length > 0 ? listId : null,
      "aria-activedescendant": words.length > 0 && asking.active !== NONE ? `${listId}-${asking.active}` : null,
      enterkeyhint: "send",
      placeholder: label,
      value: text,
      spellcheck: "false",
      autocapitalize: "off",
      hook: grow,
      oninput: (event) => {
        drafts.set(place, event.target.value);
        Object.assign(asking, { place, active: NONE });
        update({});
      },
      onblur: () => {
        asking.place = null;
        update({});
      },
      onkeydown: (event) => steer(event, words, pick, send) || walk(event, place),
    }),
    h("button", { type: "submit", class: "send", "aria-label": "Send", title: "Send (Enter; Shift+Enter begins a new line)", disabled: text.trim() === "" }, icon("send")),
  );
}

function grow(node) {
  node.style.height = "auto";
  node.style.height = `${Math.min(node.scrollHeight, TALLEST_PX)}px`;
}

function drawWords(words, listId, pick) {
  return h(
    "div",
    { class: "menu menu-words" },
    h(
      "div",
      { role: "listbox", id: listId, "aria-label": "What can follow" },
      words.map((word, index) =>
        h(
          "div",
          {
            key: word.key,
            id: `${listId}-${index}`,
            role: "option",
            class: classes("option", index === asking.active && "option-active"),
            "aria-selected": String(index === asking.active),
            hook: (node) => index === asking.active && node.scrollIntoView({ block: "nearest" }),
            // The field keeps the focus: its blur would close the list before the click.
            onmousedown: (event) => event.preventDefault(),
            onclick: () => pick(word),
          },
          h("span", {}, h("strong", { dir: "auto" }, word.label), word.more && h("span", { class: "more" }, ` ${word.more}`)),
          h("small", {}, word.meaning),
        ),
      ),
    ),
    h("p", { class: "menu-hint", "aria-hidden": "true" }, h("kbd", {}, "Tab"), " takes the first, ", h("kbd", {}, "↓"), " chooses, ", h("kbd", {}, "Esc"), " closes"),
  );
}

function steer(event, words, pick, send) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (words.length > 0 && step && !event.isComposing) {
    const from = asking.active === NONE && step < 0 ? 0 : asking.active;
    asking.active = (from + step + words.length) % words.length;
    update({});
  } else if (words.length > 0 && event.key === "Tab" && !event.shiftKey) {
    pick(words[Math.max(0, asking.active)]);
  } else if (words.length > 0 && event.key === "Escape") {
    asking.place = null;
    update({});
  } else if (isEnter(event)) {
    if (words[asking.active]) pick(words[asking.active]);
    else send();
  } else return false;
  event.preventDefault();
  return true;
}

// Arrow keys leave the field for what was sent before only from its first or its last line.
function walk(event, place) {
  const step = { ArrowDown: -1, ArrowUp: 1 }[event.key];
  if (!step || event.isComposing || event.shiftKey) return;
  const field = event.target;
  const isAtEdge = !(step > 0 ? field.value.slice(0, field.selectionStart) : field.value.slice(field.selectionEnd)).includes("\n");
  const text = isAtEdge ? walkSent(state.me, field.value, step) : null;
  if (text === null) return;
  event.preventDefault();
  bringBack(place, text);
}

async function submit(channel, threadTs, place) {
  const text = (drafts.get(place) ?? "").trim();
  if (text === "") return;
  drafts.set(place, "");
  filled.delete(place);
  asking.place = null;
  rememberSent(state.me, text);
  const field = fieldOf(place);
  if (field) field.value = "";
  update({ toast: null });
  showEnd(`${state.me}/${threadTs ?? channel}`);
  // A command is answered in the channel, from wherever it is given.
  if (text.startsWith("/")) showEnd(`${state.me}/${channel}`);
  const answer = text.startsWith("/") ? await command(channel, threadTs, text) : await post(channel, threadTs, text);
  const isUnsent = answer.error === "lab_unreachable";
  if (!answer.ok && !answer.notice && !text.startsWith("/")) update({ toast: `Your message was not sent (${isUnsent ? "the lab does not answer" : answer.error}).` });
  else if (!isUnsent) return;
  if (!drafts.get(place)) bringBack(place, text);
}

async function command(channel, threadTs, text) {
  const [name] = text.split(/\s/, 1);
  const rest = text.slice(name.length).trim();
  const at = Date.now() / 1000;
  const busy = `command-${channel}`;
  const asked = { person: state.me, channel, text, ackMs: null };
  update({ busy: { ...state.busy, [busy]: "busy" }, asked });
  const answer = await call("chat.command", me().token, { channel, command: name, text: rest, ...(threadTs ? { thread_ts: threadTs } : {}) });
  const others = { ...state.busy };
  delete others[busy];
  const isTaken = answer.ok && name === state.command;
  if (isTaken) state.taken.push({ words: rest, at });
  update({ busy: others, asked: answer.ok ? { ...asked, ackMs: answer.ack_ms } : null, toast: explainFailure(answer, threadTs) });
  return answer;
}

/** What is to be done with a suggestion, or what became of the last command, in one line below the messages. */
export function sayAsked(channel) {
  if (isFilled(channel)) return "It is in the field below: now press Enter, or Send.";
  const { asked } = state;
  if (asked?.channel !== channel || asked.person !== state.me) return "";
  return asked.ackMs === null ? `Asking xenbot: ${asked.text}` : `${asked.text} · xenbot took it in ${Math.max(1, Math.round(asked.ackMs))} ms`;
}

// A failed command leaves a notice in the channel; in a thread, which shows no notices, it is said here.
function explainFailure(answer, threadTs) {
  if (answer.error === "lab_unreachable") return "The lab does not answer.";
  return threadTs && !answer.ok ? answer.error : state.toast;
}

// A client escapes what people type and turns the names it knows into mentions.
function post(channel, threadTs, text) {
  let escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const names = [...state.people, ...(state.bot ? [state.bot] : [])].sort((one, other) => other.name.length - one.name.length);
  for (const { id, name } of names) escaped = escaped.replaceAll(new RegExp(`(^|\\s)@${escapeRegExp(name)}(?![\\w-])`, "g"), `$1<@${id}>`);
  for (const { id, name } of state.channels) escaped = escaped.replaceAll(new RegExp(`(^|\\s)#${escapeRegExp(name)}(?![\\w-])`, "g"), `$1<#${id}>`);
  return call("chat.postMessage", me().token, { channel, text: escaped, ...(threadTs ? { thread_ts: threadTs } : {}) });
}

function escapeRegExp(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
