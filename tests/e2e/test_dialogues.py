"""Commands as dialogues, and Home, through Slack's door."""

from __future__ import annotations

from typing import Any

from story_lab import StoryLab, strings
from test_spoken import bot_user


async def view(lab: StoryLab, *words: str, who: str = "operator") -> dict[str, Any]:
    """The topmost dialogue, once it holds all words."""

    async def look() -> dict[str, Any] | None:
        views = (await lab.call("lab.screen", who))["views"]
        text = strings(views[-1]).casefold() if views else ""
        return views[-1] if views and all(word.casefold() in text for word in words) else None

    return await lab.until(look, " + ".join(words))


async def home(lab: StoryLab, *words: str, who: str = "operator") -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        shown = (await lab.call("lab.screen", who))["home"]
        text = strings(shown).casefold() if shown else ""
        return shown if shown and all(word.casefold() in text for word in words) else None

    return await lab.until(look, " + ".join(words))


async def options(lab: StoryLab, view_id: str, field: str, typed: str, who: str = "operator") -> list[dict[str, Any]]:
    answer = await lab.call("blocks.suggestions", who, view_id=view_id, block_id=field, action_id=field, value=typed)
    assert answer["ok"], answer
    return answer["options"]


def names(found: list[dict[str, Any]]) -> list[str]:
    return [option["text"]["text"] for option in found]


def chosen(field: str, option: dict[str, Any]) -> dict[str, Any]:
    return {field: {field: {"type": "external_select", "selected_option": option}}}


def typed(field: str, text: str | None) -> dict[str, Any]:
    return {field: {field: {"type": "plain_text_input", "value": text}}}


async def press(lab: StoryLab, shown: dict[str, Any], label: str, who: str = "operator") -> dict[str, Any]:
    block, element = next(
        (block, element)
        for block in shown["blocks"]
        for element in block.get("elements", [])
        if block["type"] == "actions" and element["text"]["text"] == label
    )
    return await lab.call(
        "blocks.actions",
        who,
        view_id=shown["id"],
        block_id=block["block_id"],
        action_id=element["action_id"],
        value=element["value"],
    )


async def test_migrate_without_words_is_filled_in_looked_over_and_confirmed_there(lab: StoryLab) -> None:
    await lab.xen("migrate")
    form = await view(lab, "Guest", "Host", "Reason")
    assert names(await options(lab, form["id"], "vm", "cent")) == ["centos54"]
    assert "日本語サーバー" in names(await options(lab, form["id"], "vm", "サーバ"))
    twins = names(await options(lab, form["id"], "vm", "TWIN"))
    assert sorted(name.rpartition(" · ")[0] for name in twins) == [
        "twin · on xenserver1, pool experiment",
        "twin · on xenserver3, pool experiment",
    ]
    assert "db1" in names(await options(lab, form["id"], "vm", "d"))
    assert "the best host" in strings(form)
    guest = (await options(lab, form["id"], "vm", "centos54"))[0]
    host = next(one for one in await options(lab, form["id"], "host", "") if one["text"]["text"] == "xenserver3")
    values = {**chosen("vm", guest), **chosen("host", host), **typed("reason", "kernel *update*")}
    assert (await lab.call("views.submit", "operator", view_id=form["id"], values=values))["ok"]
    review = await view(lab, "Migrate centos54: xenserver1 → xenserver3", "checks passed", "low risk")
    assert (await lab.guest("centos54"))["host"] == "xenserver1"
    assert (await lab.call("views.submit", "operator", view_id=review["id"], values={}))["ok"]
    await view(lab, "Confirmed. Job 1 is checked once more and then starts")
    card = await lab.sees("centos54 now runs on xenserver3", "kernel *update*", private=False)
    assert "Confirmed by" in strings(card)


async def test_a_plan_that_cannot_be_is_told_in_the_dialogue_with_every_reason(lab: StoryLab) -> None:
    await lab.xen("migrate")
    form = await view(lab, "Guest", "Host")
    guest = (await options(lab, form["id"], "vm", "web-local"))[0]
    host = next(one for one in await options(lab, form["id"], "host", "xenserver3"))
    values = {**chosen("vm", guest), **chosen("host", host), **typed("reason", None)}
    await lab.call("views.submit", "operator", view_id=form["id"], values=values)
    shown = await view(lab, "web-local cannot be migrated to xenserver3", "shared storage")
    assert shown["submit"] is None
    assert not any("Confirm" in strings(message) for message in await lab.screen())


async def test_what_is_wrong_is_told_at_its_field(lab: StoryLab) -> None:
    await lab.xen("stop")
    form = await view(lab, "Guest", "The hard way")
    gone = {"text": {"type": "plain_text", "text": "gone", "emoji": False}, "value": "no-such-uuid"}
    values = {**chosen("vm", gone), **typed("reason", None)}
    answer = await lab.call("views.submit", "operator", view_id=form["id"], values=values)
    assert answer["errors"] == {"vm": "There is no guest called “no-such-uuid”."}
    await lab.xen("job")
    form = await view(lab, "Job number")
    number = {"job": {"job": {"type": "number_input", "value": "4711"}}}
    await lab.call("views.submit", "operator", view_id=form["id"], values=number)
    await view(lab, "no job called “4711”")


async def test_a_viewer_gets_no_form_and_the_refusal_is_audited(lab: StoryLab) -> None:
    await lab.xen("migrate", who="viewer")
    shown = await view(lab, "You may look, but not change", "Ask somebody who has it", who="viewer")
    assert shown["submit"] is None
    named = {run.get("user_id") for line in shown["blocks"][0]["elements"] for run in line["elements"]} - {None}
    assert named == {lab.info["people"][one]["id"] for one in ("operator", "operator2", "admin")}
    await lab.xen("audit", who="viewer")
    await lab.sees("command:refuse", who="viewer", private=True)


async def test_home_shows_what_waits_and_leads_into_a_dialogue(lab: StoryLab) -> None:
    await lab.call("lab.home", "operator")
    shown = await home(lab, "Nothing waits for you", "experiment: 2 hosts", "Migrate …", "Stop …")
    await lab.call("lab.home", "viewer")
    assert "Migrate …" not in strings(await home(lab, "Nothing waits for you", who="viewer"))
    await press(lab, shown, "Stop …")
    form = await view(lab, "Guest", "The hard way")
    guest = (await options(lab, form["id"], "vm", "winxp"))[0]
    hard = {"hard": {"hard": {"type": "checkboxes", "selected_options": [_yes(form)]}}}
    values = {**chosen("vm", guest), **hard, **typed("reason", None)}
    await lab.call("views.submit", "operator", view_id=form["id"], values=values)
    review = await view(lab, "Cut the power of winxp", "high risk", "After you confirm it, one person")
    await lab.call("views.submit", "operator", view_id=review["id"], values={})
    await view(lab, "Confirmed. Job 1 needs approval now")
    await lab.sees("Approval needed: Cut the power of winxp")
    await lab.call("lab.home", "approver")
    await home(lab, "1 job waits for you", "Cut the power of winxp", who="approver")
    # Nobody opens it again: what has changed since is shown by itself.
    await home(lab, "Job 1")


async def test_what_is_asked_in_home_is_answered_in_place_and_leads_on_there(lab: StoryLab) -> None:
    await lab.call("lab.home", "viewer")
    shown = await home(lab, "Nothing waits for you", who="viewer")
    await press(lab, shown, "Status", who="viewer")
    answer = await view(lab, "experiment", "xenserver1", "facts", who="viewer")
    await press(lab, answer, "Tools", who="viewer")
    tools = await view(lab, "Guest tools", "winxp", who="viewer")
    assert tools["id"] == answer["id"]
    direct = await lab.call("conversations.open", "viewer", users=await bot_user(lab))
    seen = await lab.call("lab.screen", "viewer", channel=direct["channel"]["id"])
    assert seen["messages"] == []


def _yes(form: dict[str, Any]) -> dict[str, Any]:
    block = next(one for one in form["blocks"] if one["block_id"] == "hard")
    return block["element"]["options"][0]
