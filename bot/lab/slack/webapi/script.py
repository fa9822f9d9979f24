"""What a person does, as methods a script can call with that person's token; the page uses the same ones."""

from typing import Any

import msgspec

from bot.lab.slack.arguments import Args
from bot.lab.slack.clicks import Press, press_in_message, press_in_view, suggest
from bot.lab.slack.commands import run_command
from bot.lab.slack.errors import ApiError, miss_argument
from bot.lab.slack.events import announce_home_opened
from bot.lab.slack.forms import Entered
from bot.lab.slack.messages import Message
from bot.lab.slack.payloads import show_view
from bot.lab.slack.shortcuts import run_shortcut
from bot.lab.slack.submissions import close_view, submit_view
from bot.lab.slack.views import View
from bot.lab.slack.webapi.call import PERSON, Call, Method

Json = dict[str, Any]


async def type_command(call: Call) -> Json:
    """Type a slash command: ``{channel, command, text}``; answers when the app has acked."""
    command = call.args.need("command")
    conversation = call.conversation(member=True)
    in_thread = "thread_ts" in call.args
    text = call.args.text("text")
    return await run_command(call.hub, call.actor(), conversation, command, text, in_thread=in_thread)


async def press(call: Call) -> Json:
    """Use a control: ``{channel, message_ts | view_id, block_id, action_id, value | selected_option | …}``.

    ``state`` may carry what the person entered beside it, shaped as ``state.values``.
    """
    pressed = Press(
        block_id=call.args.need("block_id"),
        action_id=call.args.need("action_id"),
        given=_decode_choices(call.args.values),
        entered=_read_entered(call, "state"),
    )
    place = _find_place(call)
    if isinstance(place, Message):
        return await press_in_message(call.hub, call.actor(), place, pressed)
    return await press_in_view(call.hub, call.actor(), place, pressed)


async def type_query(call: Call) -> Json:
    """Type into an external select and get the options the app offers."""
    place = _find_place(call)
    block_id, action_id = call.args.need("block_id"), call.args.need("action_id")
    return await suggest(call.hub, call.actor(), place, block_id, action_id, call.args.text("value"))


async def choose_shortcut(call: Call) -> Json:
    """Choose a shortcut: ``{callback_id, channel?, message_ts?}``; with a message, from the menu of that message."""
    message = _find_place(call) if "message_ts" in call.args else None
    if isinstance(message, View):
        raise ApiError("invalid_arguments")
    return await run_shortcut(call.hub, call.actor(), call.args.need("callback_id"), message)


async def submit(call: Call) -> Json:
    """Submit a modal: ``{view_id, values}``, values shaped as ``state.values``."""
    return await submit_view(call.hub, call.actor(), _find_modal(call), _read_entered(call, "values"))


async def close(call: Call) -> Json:
    """Close a modal; with ``clear``, all of them, as the cross in the corner does."""
    whole_stack = call.args.flag("clear")
    return await close_view(call.hub, call.actor(), _find_modal(call), whole_stack=whole_stack)


async def open_home(call: Call) -> Json:
    """Open the app's ``home`` or ``messages`` tab: ``{tab?}``."""
    tab = call.args.text("tab", "home")
    if tab not in ("home", "messages"):
        raise ApiError("invalid_arguments")
    person = call.actor().id
    announce_home_opened(call.hub, person, tab)
    home = call.hub.views.home(person)
    return {"ok": True, "home": None if home is None else show_view(call.hub, home)}


def _find_place(call: Call) -> Message | View:
    if "view_id" in call.args:
        return _find_view(call)
    conversation = call.conversation()
    ts = call.args.text("message_ts")
    if not ts:
        raise miss_argument("message_ts or view_id")
    message = call.hub.messages.find(conversation.id, ts)
    if message is None or message.audience not in (None, call.caller_id):
        raise ApiError("message_not_found")
    return message


def _find_view(call: Call) -> View:
    view = call.hub.views.find(call.args.need("view_id"))
    if view is None or view.person != call.caller_id:
        raise ApiError("view_not_found")
    return view


def _find_modal(call: Call) -> View:
    """Return an open modal; the home tab has nothing to submit and no cross."""
    view = _find_view(call)
    if view not in call.hub.views.stack(view.person):
        raise ApiError("view_not_found")
    return view


def _decode_choices(values: Json) -> Json:
    """Decode options that a form brought as JSON strings; an option may also be named by its value alone."""
    is_json = {key: isinstance(value, str) and value[:1] in ("{", "[") for key, value in values.items()}
    choices = Args({key: value for key, value in values.items() if key.startswith("selected_") and is_json[key]})
    return values | {key: choices.json(key) for key in choices.values}


def _read_entered(call: Call, name: str) -> Entered:
    given = call.args.object(name)
    values = given.get("values", given) if name == "state" else given
    try:
        return msgspec.convert(values, Entered)
    except msgspec.ValidationError:
        raise ApiError("invalid_arguments") from None


METHODS = (
    Method(name="chat.command", handler=type_command, tokens=PERSON),
    Method(name="blocks.actions", handler=press, tokens=PERSON),
    Method(name="blocks.suggestions", handler=type_query, tokens=PERSON),
    Method(name="shortcuts.choose", handler=choose_shortcut, tokens=PERSON),
    Method(name="views.submit", handler=submit, tokens=PERSON),
    Method(name="views.close", handler=close, tokens=PERSON),
    Method(name="lab.home", handler=open_home, tokens=PERSON),
)
