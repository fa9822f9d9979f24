// What a person has entered in an open view, shaped as Slack's state.values.

const forms = new Map(); // view id → block id → action id → { type, … }

const EMPTY = {
  checkboxes: { selected_options: [] },
  multi_static_select: { selected_options: [] },
  multi_external_select: { selected_options: [] },
  multi_users_select: { selected_users: [] },
  multi_conversations_select: { selected_conversations: [] },
  multi_channels_select: { selected_channels: [] },
  users_select: { selected_user: null },
  conversations_select: { selected_conversation: null },
  channels_select: { selected_channel: null },
  datepicker: { selected_date: null },
  timepicker: { selected_time: null },
  datetimepicker: { selected_date_time: null },
  static_select: { selected_option: null },
  external_select: { selected_option: null },
  radio_buttons: { selected_option: null },
  plain_text_input: { value: null },
  number_input: { value: null },
  email_text_input: { value: null },
  url_text_input: { value: null },
  rich_text_input: { rich_text_value: null },
  file_input: { files: [] },
};

const INITIAL = {
  initial_option: "selected_option",
  initial_options: "selected_options",
  initial_value: "value",
  initial_user: "selected_user",
  initial_users: "selected_users",
  initial_conversation: "selected_conversation",
  initial_conversations: "selected_conversations",
  initial_channel: "selected_channel",
  initial_channels: "selected_channels",
  initial_date: "selected_date",
  initial_time: "selected_time",
  initial_date_time: "selected_date_time",
};

function startValue(element) {
  const value = { type: element.type, ...EMPTY[element.type] };
  for (const [initial, field] of Object.entries(INITIAL)) if (initial in element) value[field in value ? field : "rich_text_value"] = element[initial];
  return value;
}

function formOf(viewId) {
  if (!forms.has(viewId)) forms.set(viewId, new Map());
  return forms.get(viewId);
}

/** Remembers what was entered in one element. */
export function enter(viewId, blockId, element, chosen) {
  formOf(viewId).set(`${blockId}\n${element.action_id}`, { type: element.type, ...chosen });
}

/** What was entered in one element, or undefined. */
export function entered(viewId, blockId, element) {
  return forms.get(viewId)?.get(`${blockId}\n${element.action_id}`);
}

/** All values of a view: every input block, and what was used elsewhere. */
export function collect(view) {
  const values = {};
  for (const block of view.blocks ?? []) {
    const elements = [block.element, block.accessory, ...(block.elements ?? [])].filter((one) => one && EMPTY[one.type]);
    for (const element of elements) {
      const value = entered(view.id, block.block_id, element) ?? startValue(element);
      (values[block.block_id] ??= {})[element.action_id] = value;
    }
  }
  return values;
}

/** Forgets a view that was closed. */
export function forget(viewId) {
  forms.delete(viewId);
}
