"""Which properties each block, element and object may have; anything else is an ``invalid additional property``.

Kept as words in lines: the table is long and its rows are alike.
"""

from typing import Any, Final

_BLOCKS: Final = """
section: text fields accessory expand
divider:
image: alt_text image_url slack_file title
actions: elements
context: elements
context_actions: elements
input: dispatch_action element hint label optional
file: external_id source
header: text level
markdown: text
video: alt_text author_name description provider_icon_url provider_name thumbnail_url title title_url video_url
rich_text: elements
table: column_settings rows
task_card: details output sources status task_id title
plan: tasks title
alert: level text
card: actions body hero_image icon subtitle title
container: child_blocks default_collapsed has_header_divider icon is_collapsible rich_text_title subtitle title width
carousel: elements
"""
_ELEMENTS: Final = """
button: text url value style confirm accessibility_label agent_prompt agent_prompt_display visible_to_user_ids
workflow_button: text workflow style accessibility_label
overflow: options confirm
checkboxes: options initial_options
radio_buttons: options initial_option
datepicker: initial_date
timepicker: initial_time timezone
datetimepicker: initial_date_time
static_select: options option_groups initial_option
multi_static_select: options option_groups initial_options max_selected_items
external_select: initial_option min_query_length
multi_external_select: initial_options min_query_length max_selected_items
users_select: initial_user
multi_users_select: initial_users max_selected_items
conversations_select: initial_conversation default_to_current_conversation filter response_url_enabled
multi_conversations_select: initial_conversations default_to_current_conversation filter max_selected_items
channels_select: initial_channel response_url_enabled
multi_channels_select: initial_channels max_selected_items
plain_text_input: initial_value max_length min_length multiline dispatch_action_config
email_text_input: initial_value dispatch_action_config
url_text_input: initial_value dispatch_action_config
number_input: initial_value is_decimal_allowed max_value min_value dispatch_action_config
rich_text_input: initial_value max_lines min_lines dispatch_action_config
file_input: filetypes max_files
feedback_buttons: positive_button negative_button
icon_button: icon text value confirm accessibility_label visible_to_user_ids
image: image_url slack_file
"""
_INLINE: Final = """
text: text
link: url text unsafe
user: user_id
channel: channel_id
usergroup: usergroup_id
team: team_id
broadcast: range
emoji: name unicode skin_tone
date: timestamp format fallback url
color: value
"""
_BUTTON_LIKE: Final = frozenset({"button", "workflow_button", "overflow", "feedback_buttons", "icon_button", "image"})


def _read(table: str, *always: str) -> dict[str, frozenset[str]]:
    rows = (line.partition(":") for line in table.strip().splitlines())
    return {kind: frozenset({"type", *always, *words.split()}) for kind, _, words in rows}


BLOCKS: Final = _read(_BLOCKS, "block_id")
INLINE: Final = _read(_INLINE, "style")
ELEMENTS: Final = {
    kind: allowed | (frozenset() if kind in _BUTTON_LIKE else {"placeholder", "confirm", "focus_on_load"})
    for kind, allowed in _read(_ELEMENTS, "action_id", "alt_text").items()
}
VIEW: Final = frozenset(
    {
        *("type", "blocks", "title", "submit", "close", "private_metadata", "callback_id", "external_id"),
        *("clear_on_close", "notify_on_close", "submit_disabled"),
    }
)
# What a view that came from the API carries too; an app may send it back unchanged.
VIEW_RETURNED: Final = frozenset(
    {
        *("id", "team_id", "state", "hash", "previous_view_id", "root_view_id", "app_id", "app_installed_team_id"),
        "bot_id",
    }
)
OPTION: Final = frozenset({"text", "value", "description", "url"})
OPTION_GROUP: Final = frozenset({"label", "options"})
CONFIRM: Final = frozenset({"title", "text", "confirm", "deny", "style"})
TEXT: Final = {"plain_text": frozenset({"type", "text", "emoji"}), "mrkdwn": frozenset({"type", "text", "verbatim"})}


def find_unknown(holder: dict[str, Any], allowed: frozenset[str]) -> list[str]:
    """Return the properties of an object that it may not have, in order; null ones count as absent."""
    return [name for name, value in holder.items() if name not in allowed and value is not None]
