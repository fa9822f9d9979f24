"""Looking around through Slack's door: the answers' own buttons and menus lead on, for viewers too."""

from __future__ import annotations

from story_lab import StoryLab, strings


async def test_a_viewer_walks_from_status_to_tools_and_to_one_guest(lab: StoryLab) -> None:
    await lab.xen("status", who="viewer")
    card = await lab.sees("experiment", "xenserver1", "facts", who="viewer", private=True)
    await lab.press(card, "Tools", who="viewer")
    card = await lab.sees("Guest tools", "First: Install the guest tools inside winxp", who="viewer", private=True)
    assert "emulated by QEMU" in strings(card)
    await lab.press(card, "Show all", who="viewer")
    await lab.sees("Guest tools", "sleeper", "not running", "paravirtual", who="viewer", private=True)
    await lab.xen("status winxp", who="viewer")
    card = await lab.sees("winxp is running on xenserver1", "HVM without PV drivers", who="viewer", private=True)
    await lab.press(card, "Host", who="viewer")
    await lab.sees(
        "xenserver1 is live", "can run HVM guests", "control domain has 4 GiB, load 0.", who="viewer", private=True
    )


async def test_help_may_follow_the_command_it_is_about(lab: StoryLab) -> None:
    await lab.xen("Migrate Help", who="viewer")
    await lab.sees("migrate <vm> [to <host>]", "Moves a running guest", "Needs the role", who="viewer", private=True)


async def test_a_name_nobody_has_is_answered_with_the_nearest_to_choose_from(lab: StoryLab) -> None:
    await lab.xen("migrate centos55 to xenserver3")
    question = await lab.sees("There is no guest called “centos55”", "Nearest: centos54", private=True)
    await lab.choose(question, "centos54")
    await lab.sees("Migrate centos54: xenserver1 → xenserver3", "Confirm", private=False)


async def test_the_beginning_of_a_name_is_answered_with_the_names_and_a_page_too_far_with_the_last(
    lab: StoryLab,
) -> None:
    await lab.xen("status w")
    await lab.sees("There is no", "called “w”", "web-local", "winxp", private=True)
    await lab.xen("vms page 9")
    await lab.sees("There is no page 9", "centos54", private=True)


async def test_a_shared_name_is_chosen_from_a_menu(lab: StoryLab) -> None:
    await lab.xen("status twin")
    question = await lab.sees("2 guests are called", "twin", private=True)
    await lab.choose(question, "xenserver3")
    await lab.sees("twin is running on xenserver3", private=True)


async def test_a_host_that_died_is_told_before_xapi_knows_and_its_guests_are_unconfirmed(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="kill_host", host="xenserver3")

    async def told() -> bool:
        await lab.xen("status experiment")
        texts = [strings(message) for message in await lab.screen()]
        return any("xenserver3 is silent for" in text and "XAPI still says live" in text for text in texts)

    await lab.until(told, "the silent host")
    await lab.sees("experiment: 1 thing needs you", "1 guest there is unconfirmed", private=True)
    await lab.xen("vms like twin")
    await lab.sees("xenserver3 (silent)", private=True)


async def test_the_trail_is_asked_for_people_as_they_are_called_there(lab: StoryLab) -> None:
    await lab.xen("migrate centos54 to xenserver3")
    await lab.sees("Migrate centos54", "Confirm", private=False)
    await lab.xen("freeze", who="viewer")
    await lab.sees("may look, but not change", who="viewer", private=True)
    person = lab.info["people"]["operator"]["id"]
    for written in ("@operator", f"<@{person}|operator>", "operator"):
        await lab.xen(f"audit by {written} job 1", who="viewer")
        seen = await lab.sees("Audit", "1 entry", "job:propose", who="viewer", private=True)
        assert person in str(seen["blocks"])
    await lab.xen("audit by nobody-here", who="viewer")
    await lab.sees("Nobody in the audit trail is called", "me", who="viewer", private=True)
