"""The bot is taken out of its channel: nothing is lost, somebody hears of it, and it goes on once it is let in."""

from __future__ import annotations

from story_lab import StoryLab, strings
from test_spoken import answered, direct


async def test_a_result_reaches_who_asked_and_the_channel_once_it_lets_the_bot_in_again(lab: StoryLab) -> None:
    await lab.xen("migrate centos54 to xenserver3")
    card = await lab.sees("Migrate centos54", "Confirm", private=False)
    await lab.lab("slack", do="channel", name="ops", bot_member=False)
    await lab.press(card, "Confirm")
    mine = await direct(lab, "operator")
    told = await answered(lab, mine, "operator", "centos54 now runs on xenserver3", "Told here because", lab.ops)
    assert "Move back" not in [strings(one) for one in told["blocks"] if one["type"] == "actions"]

    async def ready() -> tuple[int, str]:
        async with lab.http.get(f"{lab.info['web']}/readyz") as answer:
            return answer.status, await answer.text()

    status, text = await ready()
    assert status == 503
    assert f"The channel {lab.ops} does not let the bot in (not_in_channel)" in text
    await lab.lab("slack", do="channel", name="ops", bot_member=True)
    # Its coming back is noticed: what is kept would else be tried once a minute.
    done = await lab.sees("centos54 now runs on xenserver3", private=False, patience_s=30.0)
    assert done["ts"] == card["ts"]
    await lab.until(lambda: _is_ready(ready), "ready again")


async def _is_ready(ready) -> bool:  # noqa: ANN001  of the test above
    return (await ready())[0] == 200
