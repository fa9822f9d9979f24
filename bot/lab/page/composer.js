// Where people type: messages, and slash commands with what can follow them.

import { call } from "./api.js";
import { classes, h, icon } from "./dom.js";
import { isEnter } from "./elements.js";
import { me, state, update } from "./store.js";

const WORDS = [
  ["help", "", "what xenbot can do"],
  ["status", "[pool | host | vm]", "how things are"],
  ["vms", "", "all guests"],
  ["migrate", "<vm> to <host>", "move a running guest"],
  ["jobs", "", "what runs and what ran"],
  ["job", "<id>", "one job in full"],
  ["cancel", "<job>", "stop a job"],
  ["audit", "[verify]", "who did what, and whether the record is whole"],
  ["freeze", "", "let no change start"],
  ["unfreeze", "", "let changes start again"],
  ["resolve", "<job>", "close a job that needs a person"],
];

const drafts = new Map(); // place → text
const asking = { place: null, active: 0 };

/** The commands that can still become what was typed. */
export function complete(text, command) {
  if (!text.startsWith("/")) return [];
  const [first, ...rest] = text.split(" ");
  if (rest.length === 0) {
    return command.startsWith(first) ? WORDS : [];
  }
  if (first !== command || rest.length > 1) return [];
  return WORDS.filter(([word]) => word.startsWith(rest[0].toLowerCase()) && word !== rest[0]);
}

/** Puts text into the composer of a place and moves the cursor to its end. */
export function fill(place, text) {
  drafts.set(place, text);
  asking.place = null;
  update({});
  requestAnimationFrame(() => {
    const field = document.querySelector(`[data-composer="${CSS.escape(place)}"]`);
    if (!field) return;
    field.value = text;
    field.focus();
    field.setSelectionRange(text.length, text.length);
  });
}

/** Draws the composer of a channel or, with `threadTs`, of a thread. */
export function drawComposer(channel, threadTs, label) {
  const place = threadTs ? `${channel}/${threadTs}` : channel;
  const text = drafts.get(place) ?? "";
  const words = asking.place === place && !threadTs ? complete(text, state.command) : [];
  const listId = `words-${place}`.replace(/\W/g, "-");
  const send = () => void submit(channel, threadTs, place);
  const pick = (word) => fill(place, `${state.command} ${word}${needsMore(word) ? " " : ""}`);
  return h(
    "form",
    { class: "composer", key: `composer-${place}`, onsubmit: (event) => (event.preventDefault(), send()) },
    words.length > 0 && drawWords(words, listId, pick),
    h("textarea", {
      key: "text",
      "data-composer": place,
      rows: "1",
      "aria-label": label,
      "aria-autocomplete": threadTs ? null : "list",
      "aria-controls": words.length > 0 ? listId : null,
      "aria-activedescendant": words.length > 0 ? `${listId}-${asking.active}` : null,
      placeholder: label,
      value: text,
      spellcheck: "false",
      hook: grow,
      oninput: (event) => {
        drafts.set(place, event.target.value);
        Object.assign(asking, { place, active: 0 });
        update({});
      },
      onblur: () => {
        asking.place = null;
        update({});
      },
      onkeydown: (event) => steer(event, words, pick, send),
    }),
    h("button", { type: "submit", class: "send", "aria-label": "Send", disabled: text.trim() === "" }, icon("send")),
  );
}

function needsMore(word) {
  return WORDS.some(([one, more]) => one === word && more.startsWith("<"));
}

function grow(node) {
  node.style.height = "auto";
  node.style.height = `${Math.min(node.scrollHeight, 160)}px`;
}

function drawWords(words, listId, pick) {
  return h(
    "div",
    { class: "menu menu-words", role: "listbox", id: listId, "aria-label": "Commands" },
    words.map(([word, more, meaning], index) =>
      h(
        "div",
        {
          key: word,
          id: `${listId}-${index}`,
          role: "option",
          class: classes("option", index === asking.active && "option-active"),
          "aria-selected": String(index === asking.active),
          onmousedown: (event) => event.preventDefault(),
          onclick: () => pick(word),
        },
        h("span", {}, h("strong", {}, `${state.command} ${word}`), more && h("span", { class: "more" }, ` ${more}`)),
        h("small", {}, meaning),
      ),
    ),
  );
}

function steer(event, words, pick, send) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (words.length > 0 && step) {
    event.preventDefault();
    asking.active = (asking.active + step + words.length) % words.length;
    update({});
  } else if (words.length > 0 && event.key === "Tab" && !event.shiftKey) {
    event.preventDefault();
    pick(words[asking.active][0]);
  } else if (words.length > 0 && event.key === "Escape") {
    asking.place = null;
    update({});
  } else if (isEnter(event)) {
    event.preventDefault();
    send();
  }
}

async function submit(channel, threadTs, place) {
  const text = (drafts.get(place) ?? "").trim();
  if (text === "") return;
  drafts.set(place, "");
  asking.place = null;
  const field = document.querySelector(`[data-composer="${CSS.escape(place)}"]`);
  if (field) field.value = "";
  update({ toast: null });
  const answer = text.startsWith("/") ? await command(channel, threadTs, text) : await post(channel, threadTs, text);
  if (!answer.ok && !answer.notice && !text.startsWith("/")) {
    update({ toast: `Your message was not sent (${answer.error}).` });
    if (!drafts.get(place)) fill(place, text);
  }
}

async function command(channel, threadTs, text) {
  const at = text.search(/\s/);
  const name = at < 0 ? text : text.slice(0, at);
  const busy = `command-${channel}`;
  update({ busy: { ...state.busy, [busy]: "busy" }, tried: { ...state.tried, [text.slice(at + 1)]: true } });
  const answer = await call("chat.command", me().token, { channel, command: name, text: at < 0 ? "" : text.slice(at + 1), ...(threadTs ? { thread_ts: threadTs } : {}) });
  const rest = { ...state.busy };
  delete rest[busy];
  update({ busy: rest, toast: explainFailure(answer, threadTs) });
  return answer;
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
