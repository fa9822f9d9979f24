"""Adding shared storage through Slack's door: the story of the mount that was refused, and what lies there already."""

from __future__ import annotations

from story_lab import StoryLab, opened, strings

ASKED = "sr-add nfs nfsserver:/home/second as nfs-vhd2 to experiment default"


async def nfs(lab: StoryLab, **switches: object) -> None:
    await lab.lab("datacentre", do="nfs", server="nfsserver", **switches)


async def added(lab: StoryLab) -> None:
    card = await lab.sees("to experiment as nfs-vhd2", "medium risk", "Confirm", who="admin", private=False)
    await lab.press(card, "Confirm", who="admin")


async def test_a_mount_that_is_refused_is_explained_mended_and_done(lab: StoryLab) -> None:
    await nfs(lab, rpcbind="stopped")
    await lab.xen(ASKED.replace(" to experiment", ""), who="admin")
    which = await lab.sees("There are 4 pools, and none was named. Which one is", who="admin", private=True)
    assert "Or add" in strings(which)
    await lab.choose(which, "experiment", who="admin")
    no = await lab.sees("cannot be added to experiment", "mount returned 32", who="admin", private=True)
    assert "as a rule its rpcbind (port 111) is stopped" in strings(no)
    assert "systemctl start rpcbind nfs-server" in strings(no)
    await nfs(lab, rpcbind="running")
    await lab.press(no, "Try again", who="admin")
    await added(lab)
    done = await lab.sees("nfs-vhd2 is attached to 2 hosts of experiment", who="admin", private=False)
    assert "8 MiB written, read back and the same, snapshot made" in strings(done)
    assert "It takes new disks" in strings(done)
    with opened(lab) as api:
        records = {ref: one for ref, one in api.SR.get_all_records().items() if one["name_label"] == "nfs-vhd2"}
        ((ref, made),) = records.items()
        assert api.pool.get_default_SR(api.pool.get_all()[0]) == ref
        for plug in made["PBDs"]:
            api.PBD.unplug(plug)
        api.SR.forget(ref)

    # It lies there still, and no pool has it any more.
    found = await lab.asks(ASKED, "1 storage lies there already", made["uuid"], who="admin", private=True)
    await lab.press(found, f"Plan: attach {made['uuid'][:8]}", who="admin")
    card = await lab.sees("again to experiment as nfs-vhd2", "critical risk", "Confirm", who="admin", private=False)
    await lab.press(card, "Confirm", who="admin")
    for who in ("approver", "approver2"):
        card = await lab.sees("Approval needed", "two coordinators on one storage destroy it", who=who, private=False)
        await lab.press(card, "Approve", who=who)
    await lab.until(lambda: known(lab, made["uuid"]), "nfs-vhd2 with its old UUID")


async def known(lab: StoryLab, uuid: str) -> bool:
    with opened(lab) as api:
        return any(one["uuid"] == uuid and one["name_label"] == "nfs-vhd2" for one in api.SR.get_all_records().values())


async def test_a_bot_that_is_killed_in_the_middle_ends_what_it_began(lab: StoryLab) -> None:
    fault = {"method": "Async.VDI.snapshot", "when": "before", "action": "hold", "times": 1, "name": "held"}
    await lab.lab("datacentre", do="arm", fault=fault)
    await lab.xen(ASKED, who="admin")
    await added(lab)

    async def held() -> bool:
        return any(one["holding"] for one in (await lab.state())["faults"])

    await lab.until(held, "a trial in its middle")
    await lab.lab("bot", do="kill")
    await lab.lab("datacentre", do="release", name="held")
    await lab.lab("bot", do="start")
    await lab.sees("nfs-vhd2 is attached to 2 hosts of experiment", who="admin", private=False)
    with opened(lab) as api:
        assert [one for one in api.SR.get_all_records().values() if one["name_label"].startswith("xenbot")] == []
        assert [one for one in api.VDI.get_all_records().values() if one["name_label"].startswith("xenbot")] == []
    assert await lab.took_effect("SR.create") == ["SR.create"]
