"""What the pools complain of reaches the channel once, in words, with the way to look and to act."""

from __future__ import annotations

from story_lab import StoryLab, opened, strings


def _complain(lab: StoryLab, name: str, host: str, priority: int = 3) -> None:
    with opened(lab) as xapi:
        (ref,) = xapi.host.get_by_name_label(host)
        xapi.message.create(name, priority, "Host", xapi.host.get_uuid(ref), "")


async def _told(lab: StoryLab, words: str) -> int:
    return sum(words in strings(one) and not one.get("is_ephemeral") for one in await lab.screen())


async def test_a_complaint_is_told_once_in_words_and_leads_on(lab: StoryLab) -> None:
    _complain(lab, "MULTIPATH_PERIODIC_ALERT", "xenserver3")
    card = await lab.sees("experiment: 1 alert", "xenserver3: paths to storage are missing", private=False)
    _complain(lab, "MULTIPATH_PERIODIC_ALERT", "xenserver3")
    _complain(lab, "HOST_CLOCK_SKEW_DETECTED", "xenserver3")
    await lab.sees("the host's clock differs", private=False)
    assert await _told(lab, "paths to storage are missing") == 1, "the same of the same host is not told again at once"
    await lab.press(card, "Pool check")
    await lab.sees("Alerts of a day", "paths to storage are missing", private=True)
    await lab.press(card, "Migrate away")
    await lab.sees("xenserver3 cannot be emptied", "twin", private=True)


async def test_what_was_told_is_not_told_again_after_a_restart_or_a_lost_token_and_what_came_meanwhile_is(
    lab: StoryLab,
) -> None:
    _complain(lab, "MULTIPATH_PERIODIC_ALERT", "xenserver1")
    await lab.sees("xenserver1: paths to storage are missing", private=False)
    await lab.lab("bot", do="kill")
    _complain(lab, "HOST_CLOCK_WENT_BACKWARDS", "xenserver1", 2)
    await lab.lab("bot", do="start")
    await lab.sees("the host's clock went backwards", private=False)
    # Where the pool has lost the place up to which it was read, all of it is read again.
    lost = {"method": "event.from", "when": "after", "action": "fail", "error": ["EVENTS_LOST", "token"]}
    await lab.lab("datacentre", do="arm", fault=lost | {"host": "xenserver1"})

    async def struck() -> bool:
        return not (await lab.state())["faults"]

    await lab.until(struck, "a token that was lost")
    _complain(lab, "HOST_CLOCK_SKEW_DETECTED", "xenserver1")
    await lab.sees("xenserver1: the host's clock differs", private=False)
    assert await _told(lab, "paths to storage are missing") == 1
    assert await _told(lab, "the host's clock went backwards") == 1


async def test_what_is_muted_is_not_told_until_it_is_told_of_again(lab: StoryLab) -> None:
    await lab.xen("mute HOST_CLOCK_SKEW_DETECTED on xenserver3 for 2h")
    await lab.sees("HOST_CLOCK_SKEW_DETECTED", "is not told of until", private=True)
    _complain(lab, "HOST_CLOCK_SKEW_DETECTED", "xenserver3")
    _complain(lab, "HOST_CLOCK_SKEW_DETECTED", "xenserver1")
    await lab.sees("xenserver1: the host's clock differs", private=False)
    assert await _told(lab, "xenserver3: the host's clock differs") == 0
    await lab.xen("unmute HOST_CLOCK_SKEW_DETECTED")
    await lab.sees("is told of again", private=True)
    _complain(lab, "HOST_CLOCK_SKEW_DETECTED", "xenserver3")
    await lab.sees("xenserver3: the host's clock differs", private=False)


async def test_information_of_normal_life_wakes_nobody(lab: StoryLab) -> None:
    _complain(lab, "VM_STARTED", "xenserver3", 5)
    _complain(lab, "MULTIPATH_PERIODIC_ALERT", "xenserver3")
    await lab.sees("experiment: 1 alert", "paths to storage", private=False)
