// What happens when a person uses a control: ask first if the app wants it, tell the app, and show when it did not
// answer. A click that nobody acknowledged leaves the message as it is and a warning beside the control.

import { call } from "./api.js";
import { expectAnswer } from "./follow.js";
import { me, state, update } from "./store.js";

/** The name of one control, for its busy and failed marks. */
export function controlName(context, blockId, element) {
  return `${context.name}/${blockId}/${element.action_id}`;
}

/** Uses a control: `chosen` is what the element's type carries, such as `{ value }` or `{ selected_option }`. */
export function use(context, blockId, element, chosen) {
  const run = () => send(context, blockId, element, chosen);
  if (element.confirm) update({ confirm: { ...element.confirm, run } });
  else void run();
}

async function send(context, blockId, element, chosen) {
  const name = controlName(context, blockId, element);
  if (state.busy[name] === "busy") return;
  mark(name, "busy");
  expectAnswer();
  const answer = await call("blocks.actions", me().token, {
    ...context.where,
    block_id: blockId,
    action_id: element.action_id,
    ...chosen,
    ...(context.values ? { state: { values: context.values() } } : {}),
  });
  mark(name, answer.ok ? undefined : "failed");
  if (!answer.ok) update({ status: `The app did not answer: ${answer.error}` });
}

function mark(name, what) {
  const busy = { ...state.busy };
  if (what === undefined) delete busy[name];
  else busy[name] = what;
  update({ busy });
}

/** Asks the app for the options of an external select; null when it did not answer. */
export async function askOptions(context, blockId, element, typed) {
  const answer = await call("blocks.suggestions", me().token, {
    ...context.where,
    block_id: blockId,
    action_id: element.action_id,
    value: typed,
  });
  return answer.ok ? answer : null;
}
