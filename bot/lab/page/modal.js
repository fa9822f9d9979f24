// Modals of the app, on top of one another, and the confirm dialog of a control.

import { use } from "./actions.js";
import { call } from "./api.js";
import { drawBlocks } from "./blocks.js";
import { findLoose } from "./combobox.js";
import { classes, h, icon } from "./dom.js";
import { plainText, drawText } from "./elements.js";
import { expectAnswer } from "./follow.js";
import { collect, enter, entered, forget } from "./form.js";
import { me, state, update } from "./store.js";

/** The drawings for the layer above the page. */
export function drawModals() {
  const open = state.views.filter((view) => !state.closing[view.id]);
  const top = open.at(-1);
  return [top && drawView(top, open.length), state.confirm && drawConfirm(state.confirm)];
}

// A key that is still held down from the press that opened a dialog must not answer it.
function ignoreHeldKey(event) {
  if (event.key === "Enter" && event.repeat) event.preventDefault();
}

// The first field gets the focus, as in Slack; without one, the button that means yes.
function showOnce(node, isNew) {
  if (!isNew) return;
  queueMicrotask(() => {
    if (!node.isConnected || node.open) return;
    node.showModal();
    const first = node.querySelector(".block-input :is(input, select, textarea)") ?? node.querySelector(".modal-foot .button:last-child");
    first?.focus();
  });
}

function drawView(view, depth) {
  const title = plainText(view.title);
  const failed = state.viewFailed[view.id];
  const isBusy = state.busy[view.id] === "busy";
  return h(
    "dialog",
    {
      key: view.id,
      class: "modal",
      "aria-label": title,
      hook: showOnce,
      oncancel: (event) => {
        event.preventDefault();
        void close(view);
      },
    },
    h(
      "form",
      { class: "modal-form", method: "dialog", novalidate: true, onsubmit: (event) => (event.preventDefault(), void submit(view)) },
      h(
        "header",
        { class: "modal-head" },
        depth > 1 && h("button", { type: "button", class: "icon-button", "aria-label": "Back", onclick: () => void close(view) }, icon("back")),
        h("h2", {}, title),
        h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => void close(view, true) }, icon("close")),
      ),
      failed && h("p", { class: "modal-failed", role: "alert" }, failed),
      h("div", { class: "modal-body" }, drawBlocks(view.blocks ?? [], viewContext(view))),
      h(
        "footer",
        { class: "modal-foot" },
        h("button", { type: "button", class: "button", onclick: () => void close(view) }, plainText(view.close) || "Close"),
        view.submit &&
          h("button", { type: "submit", class: classes("button button-primary"), disabled: isBusy || view.submit_disabled === true, "aria-busy": isBusy ? "true" : null }, isBusy ? "Sending…" : plainText(view.submit)),
      ),
    ),
  );
}

/** How elements behave in a view: inputs are kept until the view is submitted, the rest goes to the app at once. */
export function viewContext(view) {
  const context = { name: view.id, where: { view_id: view.id }, errors: state.fieldErrors[view.id] };
  context.values = () => collect(view);
  context.typed = (blockId, element, chosen) => enter(view.id, blockId, element, chosen);
  context.chosen = (blockId, element) => entered(view.id, blockId, element)?.selected_option;
  context.chosenValue = (blockId, element, field) => entered(view.id, blockId, element)?.[field];
  context.dispatch = (blockId, element, chosen) => use(context, blockId, element, chosen);
  context.chose = (blockId, element, chosen) => {
    enter(view.id, blockId, element, chosen);
    const block = (view.blocks ?? []).find((one) => one.block_id === blockId);
    if (block?.type !== "input") use(context, blockId, element, chosen);
    else update({});
  };
  return context;
}

async function submit(view) {
  if (state.busy[view.id]) return;
  update({ busy: { ...state.busy, [view.id]: "busy" }, viewFailed: { ...state.viewFailed, [view.id]: undefined } });
  const loose = await findLoose(view, viewContext(view));
  if (loose !== null) {
    const idle = { ...state.busy };
    delete idle[view.id];
    update({ busy: idle });
    document.getElementById(loose)?.focus();
    return;
  }
  expectAnswer();
  const answer = await call("views.submit", me().token, { view_id: view.id, values: collect(view) });
  const busy = { ...state.busy };
  delete busy[view.id];
  const errors = answer.errors ?? null;
  update({ busy, fieldErrors: { ...state.fieldErrors, [view.id]: errors ?? {} } });
  if (!answer.ok && !errors) {
    const sentence = answer.error?.includes(" ") ? answer.error : "We had some trouble connecting. Try again?";
    update({ viewFailed: { ...state.viewFailed, [view.id]: sentence } });
  }
}

// The cross closes every open view, the other ways only the topmost.
async function close(view, isAll = false) {
  const gone = isAll ? state.views : [view];
  update({ closing: { ...state.closing, ...Object.fromEntries(gone.map((one) => [one.id, true])) } });
  await call("views.close", me().token, { view_id: view.id, ...(isAll ? { clear: true } : {}) });
  for (const one of gone) forget(one.id);
}

function drawConfirm(confirm) {
  const end = (isYes) => {
    update({ confirm: null });
    if (isYes) confirm.run();
  };
  return h(
    "dialog",
    { key: "confirm", class: "modal modal-small", role: "alertdialog", "aria-label": plainText(confirm.title), hook: showOnce, onkeydown: ignoreHeldKey, oncancel: (event) => (event.preventDefault(), end(false)) },
    h("header", { class: "modal-head" }, h("h2", {}, plainText(confirm.title))),
    h("div", { class: "modal-body" }, h("div", { class: "text" }, confirm.text ? drawText(confirm.text) : "")),
    h(
      "footer",
      { class: "modal-foot" },
      h("button", { type: "button", class: "button", onclick: () => end(false) }, plainText(confirm.deny) || "Cancel"),
      h("button", { type: "button", class: classes("button", confirm.style === "danger" ? "button-danger" : "button-primary"), onclick: () => end(true) }, plainText(confirm.confirm) || "Yes"),
    ),
  );
}
