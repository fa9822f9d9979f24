from typing import Any
from bot.lab.slack import Workplace
from slack_clients import Connect, bot, make_app, person


async def test_command_ack_text_shows_to_its_person_only(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)

    @app.command("/xen")
    async def answer(ack: Any, command: Any) -> None:
        await ack(f"you said {command['text']}")

    await connect(workplace, app)
    operator = person(workplace, "operator")
    ops = workplace.channels["ops"]
    answer_ = await operator.post("chat.command", channel=ops, command="/xen", text="status")
    assert answer_["ok"], answer_
    screen = await operator.post("lab.screen", channel=ops)
    assert [m["text"] for m in screen["messages"]] == ["you said status"]
    assert screen["messages"][0]["is_ephemeral"] is True
    assert (await person(workplace, "approver").post("lab.screen", channel=ops))["messages"] == []


async def test_button(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)
    seen = []

    @app.action("go")
    async def press(ack: Any, body: Any, respond: Any) -> None:
        await ack()
        seen.append(body)
        await respond("done", replace_original=True)

    await connect(workplace, app)
    ops = workplace.channels["ops"]
    posted = await bot(workplace).post(
        "chat.postMessage",
        channel=ops,
        text="x",
        blocks=[
            {
                "type": "actions",
                "block_id": "b",
                "elements": [
                    {"type": "button", "action_id": "go", "value": "7", "text": {"type": "plain_text", "text": "Go"}}
                ],
            }
        ],
    )
    assert posted["ok"], posted
    since = workplace.revision()
    r = await person(workplace, "operator").post(
        "blocks.actions", channel=ops, message_ts=posted["ts"], block_id="b", action_id="go", value="7"
    )
    assert r["ok"], r
    await workplace.changed(since)
    assert seen[0]["actions"][0]["value"] == "7"
    screen = await person(workplace, "viewer").post("lab.screen", channel=ops)
    assert screen["messages"][0]["text"] == "done"
