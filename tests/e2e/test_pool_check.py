"""Every row of the check of a pool through Slack's door: broken in the lab, found and explained; mended, gone."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from broken_pool import GIB, Pool, check, fine, xapi_date
from story_lab import StoryLab, opened, strings


@pytest.fixture
async def pool(lab: StoryLab) -> AsyncIterator[Pool]:
    with opened(lab) as xapi:
        yield Pool(lab, xapi)


def _host(name: str = "xenserver3") -> Callable[[Pool], tuple[str, str]]:
    return lambda pool: ("host", pool.named("host", name))


def _vm(name: str) -> Callable[[Pool], tuple[str, str]]:
    return lambda pool: ("VM", pool.named("VM", name))


def _metrics(name: str) -> Callable[[Pool], tuple[str, str]]:
    return lambda pool: ("host_metrics", pool.xapi.host.get_metrics(pool.named("host", name)))


def _the_pool(pool: Pool) -> tuple[str, str]:
    return "pool", pool.pool()


# What is broken, by which field of what, and what the check says of it. What stands together is broken together.
TOGETHER: tuple[tuple[tuple[Callable[[Pool], tuple[str, str]], str, Any, tuple[str, ...]], ...], ...] = (
    (
        (_host(), "enabled", False, ("Hosts enabled", "xenserver3 takes no guests", "/xen enable")),
        (
            _host(),
            "software_version",
            {"product_brand": "XenServer", "product_version": "8.3.0", "build_number": "7"},
            ("Versions", "xenserver3 runs XenServer 8.3.0 (7)", "Bring every host to"),
        ),
        (_the_pool, "other_config", {"rolling_upgrade_in_progress": ""}, ("a rolling upgrade is in progress",)),
        (_host(), "pending_guidances", ["reboot_host"], ("Updates", "xenserver3 still has to: reboot host")),
        (
            _host(),
            "cpu_info",
            {"vendor": "AuthenticAMD", "cpu_count": "32"},
            ("CPU vendor", "AuthenticAMD", "cannot move between CPU vendors"),
        ),
        (
            _host(),
            "capabilities",
            ["xen-3.0-x86_64"],
            ("HVM capability", "xenserver3 cannot run HVM guests", "firmware"),
        ),
        (
            lambda pool: ("Certificate", pool.of_host("Certificate", "xenserver3")[0]),
            "not_after",
            xapi_date(20),
            ("Certificates", "ends in"),
        ),
        (
            _host(),
            "license_params",
            {"edition": "standard", "expiry": xapi_date(-1)},
            ("Licence", "xenserver3: the licence ended", "Renew"),
        ),
        (_the_pool, "default_SR", "OpaqueRef:NULL", ("Default storage", "the pool has none")),
        (
            lambda pool: ("PBD", pool.of_host("PBD", "xenserver3")[0]),
            "other_config",
            {"multipathed": "true", "mpath-36001": "[2, 4]"},
            ("Paths to storage", "xenserver3 has 2 of 4 paths"),
        ),
        (_host("xenserver1"), "multipathing", True, ("multipathing is off on xenserver3 alone",)),
        (
            lambda pool: ("PBD", pool.plug("nfs-vhd", "xenserver3")),
            "device_config",
            {"server": "othernfs", "serverpath": "/home/test"},
            ("Storage settings", "the hosts reach nfs-vhd with different settings: server"),
        ),
        (
            lambda pool: ("SR", pool.named("SR", "nfs-vhd")),
            "virtual_allocation",
            4 << 40,
            ("Thin overcommit", "may grow to 4 TiB of 2 TiB"),
        ),
        (
            lambda pool: ("PIF_metrics", pool.xapi.PIF.get_metrics(pool.of_host("PIF", "xenserver3")[0])),
            "carrier",
            False,
            ("Network links", "eth0 of xenserver3 has no link"),
        ),
        (
            _vm("centos54"),
            "current_operations",
            {"OpaqueRef:5ec6db31-0000-4000-8000-000000000000": "snapshot"},
            ("Stuck operations", "guest centos54 claims to be in snapshot", "toolstack"),
        ),
        (
            lambda pool: ("VM_metrics", pool.xapi.VM.get_metrics(pool.named("VM", "web-local"))),
            "current_domain_type",
            "pv",
            ("PV mode", "web-local in PV mode", "Convert such a guest"),
        ),
        (
            lambda pool: ("VM_guest_metrics", pool.xapi.VM.get_guest_metrics(pool.named("VM", "web-local"))),
            "PV_drivers_version",
            {},
            ("1 guest whose agent does not answer",),
        ),
        (
            _vm("winxp"),
            "other_config",
            {"auto_poweron": "true"},
            ("Start with the pool", "winxp is marked to start with the pool, and will not", "auto_poweron=true"),
        ),
        (_the_pool, "ha_enabled", True, ("High availability", "Free memory, add a host, or protect fewer guests")),
        (_the_pool, "ha_host_failures_to_tolerate", 1, ("its plan covers 0 failed hosts where 1 are wanted",)),
        (_the_pool, "ha_overcommitted", True, ("more is protected than could be restarted",)),
        (
            lambda pool: ("VM", pool.control_domain("xenserver1")),
            "memory_dynamic_max",
            GIB,
            ("dom0 memory", "xenserver1 has 1 GiB for a host of", "Give the control domain"),
        ),
    ),
    (
        (_metrics("xenserver3"), "live", False, ("Hosts live", "xenserver3 is not live: XAPI has lost its heartbeat")),
        (_host(), "latest_synced_updates_applied", "no", ("xenserver3 lacks updates that the pool has fetched",)),
        (_host("xenserver1"), "updates_requiring_reboot", ["OpaqueRef:u"], ("xenserver1 still has to: reboot host",)),
        (_host("xenserver1"), "updates", ["OpaqueRef:u"], ("xenserver3 lacks 1 update that other hosts have",)),
        (
            lambda pool: ("Certificate", pool.of_host("Certificate", "xenserver3")[0]),
            "not_after",
            xapi_date(-1),
            ("Certificates", "xenserver3: ", " ended "),
        ),
        (_host(), "other_config", {"mpath-boot": "[1, 2]"}, ("xenserver3 has 1 of 2 paths to its own disk",)),
        (
            _the_pool,
            "default_SR",
            lambda pool: pool.xapi.PBD.get_SR(
                next(one for one in pool.of_host("PBD", "xenserver1") if one != pool.plug("nfs-vhd", "xenserver1"))
            ),
            ("is not shared: what is made there cannot move",),
        ),
        (
            lambda pool: ("PIF", pool.of_host("PIF", "xenserver3")[0]),
            "currently_attached",
            False,
            ("eth0 of xenserver3 is not plugged",),
        ),
        (
            lambda pool: ("PIF", pool.of_host("PIF", "xenserver3")[0]),
            "network",
            lambda pool: next(
                ref for ref, one in pool.xapi.network.get_all_records().items() if not one["VIFs"] and not one["PIFs"]
            ),
            ("Networks of guests", "eth0 is missing on xenserver3", "guests on it cannot move to such a host"),
        ),
        (
            _vm("centos54"),
            "last_boot_CPU_flags",
            {"vendor": "GenuineIntel", "features": "ffffffff-ffffffff"},
            ("CPU features of guests", "centos54 booted with CPU features that", "Reboot such a guest"),
        ),
    ),
)


# What people and machines break of each row, and what the check says of it.
BY_HAND: dict[str, tuple[str, ...]] = {
    "Clocks": ("xenserver3 is", "ahead of", "time servers"),
    "dom0 memory": ("xenserver3 has 100 MiB left of",),
    "dom0 load": ("xenserver3 has a load of 17.5 on 8 processors",),
    "Storage space": ("nfs-vhd is 95 % full, 100 GiB free", "need you"),
    "Paused guests": ("web-local is paused",),
    "Old snapshots": ("“before the upgrade” of centos54", "“[XO Backup Nightly] centos54” of centos54", "by a backup"),
    "Disks without a guest": ("disks on nfs-vhd belong to no guest", "Look what they hold"),
    "Chains of images": (
        "layer 20 on nfs-vhd is a chain of 21 images",
        "9 images on nfs-vhd wait to be merged",
    ),
    "CDs in drives": (
        "is in the drive of centos54, which cannot move to xenserver3 with it",
        "Eject from centos54",
    ),
    "Disks held by dom0": ("half copied is attached to a control domain",),
    "Alerts of a day": ("paths to storage are missing", "crashed"),
    "Storage attached": ("nfs-vhd has no plug (PBD) in xenserver3",),
    "MAC addresses": ("belongs to centos54, winxp",),
    # The world itself has these to complain of.
    "Memory to spare": ("if xenserver1 fails, db1", "would fit nowhere"),
    "Guest tools": ("1 running guest without guest tools",),
}
#: What has tests of its own: it takes a world of its own, or a job that went wrong.
ELSEWHERE = {"Bonds", "Left by xenbot"}


async def test_each_broken_field_is_found_and_explained_and_gone_once_mended(lab: StoryLab, pool: Pool) -> None:
    broken = {word for fields in TOGETHER for *_, words in fields for word in words}
    assert fine(await check(lab)) <= broken | BY_HAND.keys() | ELSEWHERE, "each row is broken somewhere"
    for fields in TOGETHER:
        for find, field, value, _ in fields:
            await pool.breaks(*find(pool), field, value(pool) if callable(value) else value)
        said = tuple(itertools.chain.from_iterable(words for *_, words in fields))
        assert not fine(await check(lab, *said)) & set(said)
        await pool.mend()
        await check(lab, without=tuple([word for word in words if " " in word][-1] for *_, words in fields))


async def test_what_hands_and_machines_broke_is_found_and_gone_once_it_is_mended(lab: StoryLab, pool: Pool) -> None:
    xapi, centos = pool.xapi, pool.named("VM", "centos54")
    await lab.lab("datacentre", do="skew_clock", host="xenserver3", seconds=60)
    await lab.lab("datacentre", do="strain_dom0", host="xenserver3", load=17.5, free_mib=100)
    paused = pool.named("VM", "web-local")
    xapi.VM.pause(paused)
    old = xapi.VM.snapshot(centos, "before the upgrade")
    await pool.set("VM", xapi.VM.get_uuid(old), "snapshot_time", xapi_date(-40))
    left = xapi.VM.snapshot(centos, "[XO Backup Nightly] centos54")
    await pool.set("VM", xapi.VM.get_uuid(left), "snapshot_time", xapi_date(-3))
    lone = pool.disk("nobody's")
    held = pool.disk("half copied")
    xapi.VBD.create(
        {"VM": pool.control_domain("xenserver3"), "VDI": held, "userdevice": "0", "bootable": False, "mode": "RW"}
        | {"type": "Disk", "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": ""}
        | {"qos_algorithm_params": {}}
    )
    alert = xapi.message.create(
        "MULTIPATH_PERIODIC_ALERT", 3, "Host", pool.uuid("host", pool.named("host", "xenserver3")), ""
    )
    crash = xapi.message.create("VM_CRASHED", 2, "VM", pool.uuid("VM", centos), "")
    plug = pool.plug("nfs-vhd", "xenserver3")
    settings = xapi.PBD.get_record(plug)
    await lab.lab("datacentre", do="unplug_pbd", sr="nfs-vhd", host="xenserver3")
    xapi.PBD.destroy(plug)
    twin = xapi.VIF.get_MAC(xapi.VM.get_VIFs(centos)[0])
    await pool.breaks("VIF", xapi.VM.get_VIFs(pool.named("VM", "winxp"))[0], "MAC", twin)
    chain = [pool.disk(f"layer {n}") for n in range(21)]
    for below, layer in itertools.pairwise(chain):
        await pool.breaks("VDI", layer, "sm_config", {"vhd-parent": pool.uuid("VDI", below)})
    for base in chain[:9]:
        await pool.breaks("VDI", base, "managed", False)
    drive = next(vbd for vbd in xapi.VM.get_VBDs(centos) if xapi.VBD.get_type(vbd) == "CD")
    medium = xapi.VBD.get_VDI(next(vbd for vbd in xapi.VM.get_VBDs(paused) if xapi.VBD.get_type(vbd) == "Disk"))
    await pool.breaks("VBD", drive, "VDI", medium)
    await pool.breaks("VBD", drive, "empty", False)
    # Last, since whoever makes a disk tells anew how full the storage is.
    await lab.lab("datacentre", do="fill_sr", sr="nfs-vhd", free_gib=100)
    card = await check(lab, *BY_HAND, *itertools.chain.from_iterable(BY_HAND.values()), twin)
    assert not fine(card) & BY_HAND.keys()
    await lab.lab("datacentre", do="skew_clock", host="xenserver3", seconds=0)
    await lab.lab("datacentre", do="strain_dom0", host="xenserver3")
    xapi.VM.unpause(paused)
    await pool.mend()
    for vbd in xapi.VDI.get_VBDs(held):
        xapi.VBD.destroy(vbd)
    for disk in (lone, held, *chain):
        xapi.VDI.destroy(disk)
    for snapshot in (old, left):
        disks = [xapi.VBD.get_VDI(vbd) for vbd in xapi.VM.get_VBDs(snapshot) if xapi.VBD.get_type(vbd) == "Disk"]
        xapi.VM.destroy(snapshot)
        for disk in disks:
            xapi.VDI.destroy(disk)
    for message in (alert, crash):
        xapi.message.destroy(message)
    again = {key: settings[key] for key in ("host", "SR", "device_config", "other_config")}
    xapi.PBD.plug(xapi.PBD.create(again))
    await lab.lab("datacentre", do="fill_sr", sr="nfs-vhd", free_gib=1000)
    await check(
        lab,
        without=(
            *("ahead of", "MiB left of", "a load of", "% full", "is paused", "before the upgrade", "XO Backup"),
            *(
                "to no guest",
                "attached to a control domain",
                "paths to storage",
                "crashed",
                "no plug",
                "belongs to",
                "is a chain of",
                "wait to be merged",
                "is in the drive of",
            ),
        ),
    )
    # What the world itself has to complain of: db1 fits nowhere else, and winxp has no drivers.
    await lab.lab("datacentre", do="stop_guest", guest="winxp")
    xapi.VM.set_memory_dynamic_range(pool.named("VM", "db1"), str(8 * GIB), str(8 * GIB))
    await check(lab, without=("would fit nowhere", "without guest tools"))


async def test_a_storage_without_its_plug_comes_first_and_its_button_mends_it(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="unplug_pbd", sr="nfs-vhd", host="xenserver3")
    card = await check(lab, "1 thing needs you", "nfs-vhd is not attached to xenserver3")
    await lab.xen("pool-check experiment")
    card = await lab.sees("nfs-vhd is not attached to xenserver3", private=True)
    await lab.press(card, "Attach nfs-vhd to xenserver3")
    plan = await lab.sees("Attach nfs-vhd to xenserver3", "Confirm", private=False)
    await lab.press(plan, "Confirm")
    await lab.sees("nfs-vhd is attached to xenserver3", private=False)
    await check(lab, without=("is not attached to",))
    await lab.xen("plug nfs-vhd on xenserver3")
    await lab.sees("nfs-vhd is attached to xenserver3", "Nothing has to be done", private=True)


async def test_a_lost_host_and_its_guests_come_first(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="kill_host", host="xenserver3")
    await check(lab, "needs you", "Hosts live", "xenserver3 silent for", "XAPI still says live", "unconfirmed")


async def test_all_pools_are_checked_in_one_answer_and_each_leads_on(lab: StoryLab) -> None:
    await lab.xen("pool-check", who="viewer")
    card = await lab.sees("experiment", "to watch", "fine", "first", who="viewer", private=True)
    labels = strings(card)
    assert "Check experiment" in labels
    await lab.press(card, "Check experiment", who="viewer")
    card = await lab.sees("Memory to spare", "would fit nowhere", who="viewer", private=True)
    await lab.press(card, "Show all", who="viewer")
    await lab.sees("Hosts live", "2 hosts live and answering", "Certificates", who="viewer", private=True)


async def test_what_a_backup_could_not_remove_is_found_and_its_button_removes_that_alone(
    lab: StoryLab, pool: Pool
) -> None:
    # Another's snapshot of the same guest, with a name like ours: nobody stored that it is ours.
    alike = pool.xapi.VM.snapshot(pool.named("VM", "centos54"), "xenbot backup 0123456789abcdef")
    fault = {"action": "fail", "error": ["OPERATION_NOT_ALLOWED", "no"], "times": "forever"}
    for method in ("Async.VM.destroy", "Async.VDI.destroy"):
        await lab.lab("datacentre", do="arm", fault=fault | {"method": method})
    await lab.xen("backup centos54")
    await lab.press(await lab.sees("Back up centos54", "Confirm", private=False), "Confirm")
    card = await check(
        lab, "Left by xenbot", "left its snapshot of centos54", "named like ours, and no job here made it"
    )
    await lab.lab("datacentre", do="clear_faults")
    await lab.xen("pool-check experiment")
    card = await lab.sees("left its snapshot of centos54", private=True)
    await lab.press(card, "Remove snapshot of centos54")
    plan = await lab.sees("Remove what job", "Confirm", private=False)
    await lab.press(plan, "Confirm")
    await lab.sees("Done: Remove what job", private=False)
    await check(lab, "named like ours", without=("left its snapshot",))
    left = [ref for ref, one in pool.xapi.VM.get_all_records().items() if one["is_a_snapshot"]]
    assert left == [alike]
    disks = {one["uuid"] for one in pool.xapi.VDI.get_all_records().values() if one["is_a_snapshot"]}
    assert disks == {
        pool.uuid("VDI", pool.xapi.VBD.get_VDI(vbd))
        for vbd in pool.xapi.VM.get_VBDs(alike)
        if pool.xapi.VBD.get_type(vbd) == "Disk"
    }
    assert (await lab.took_effect("VM.destroy", "VDI.destroy"))[-2:] == ["VM.destroy", "VDI.destroy"]
    await lab.xen("clean-up 1")
    await lab.sees("no snapshot of centos54 by this job is there", "Nothing has to be done", private=True)
