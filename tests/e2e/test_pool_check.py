"""Every row of the check of a pool through Slack's door: broken in the lab, found and explained; mended, gone."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from story_lab import StoryLab, opened, strings

Sets = tuple[str, str, str, Any]


def _xapi_date(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%dT%H:%M:%SZ")


class Pool:
    """The objects of the pool by name, and its fields to break; what was broken is as before at the end."""

    def __init__(self, lab: StoryLab, xapi: Any) -> None:
        self.lab = lab
        self.xapi = xapi
        self._undo: list[Sets] = []

    def uuid(self, kind: str, ref: str) -> str:
        return str(getattr(self.xapi, kind).get_uuid(ref))

    def named(self, kind: str, name: str) -> str:
        (ref,) = getattr(self.xapi, kind).get_by_name_label(name)
        return str(ref)

    def of_host(self, kind: str, host: str) -> list[str]:
        there = getattr(self.xapi, kind).get_all_records()
        home = self.named("host", host)
        return [ref for ref, record in there.items() if record.get("host") == home]

    async def breaks(self, kind: str, ref: str, field: str, value: Any) -> None:
        uuid = self.uuid(kind, ref)
        old = getattr(self.xapi, kind).get_record(ref)[field]
        if isinstance(old, xmlrpc.client.DateTime):
            old = str(old)
        elif isinstance(value, int) and not isinstance(value, bool):
            old = int(old)
        self._undo.append((kind, uuid, field, old))
        await self.set(kind, uuid, field, value)

    async def set(self, kind: str, uuid: str, field: str, value: Any) -> None:
        await self.lab.lab("datacentre", **{"do": "set", "class": kind, "uuid": uuid, "field": field, "value": value})

    async def mend(self) -> None:
        while self._undo:
            await self.set(*self._undo.pop())


@pytest.fixture
async def pool(lab: StoryLab) -> AsyncIterator[Pool]:
    with opened(lab) as xapi:
        yield Pool(lab, xapi)


async def _check(lab: StoryLab, *words: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The answer to a new check that holds these words and not those; facts take a moment from the pool to the bot."""

    async def look() -> dict[str, Any] | None:
        known = {message["ts"] for message in await lab.screen("viewer")}
        assert (await lab.xen("pool-check experiment", who="viewer"))["ok"]

        async def answered() -> dict[str, Any] | None:
            news = [one for one in await lab.screen("viewer") if one["ts"] not in known]
            return next((one for one in news if "fine" in strings(one)), None)

        message = await lab.until(answered, "the answer to pool-check")
        text = strings(message)
        return message if all(word in text for word in words) and not any(word in text for word in without) else None

    return await lab.until(look, f"a check with {words} and without {without}", patience_s=30)


# What is broken, by which field, and what the check says of it.
FIELDS: list[tuple[str, Callable[[Pool], tuple[str, str]], str, Any, tuple[str, ...]]] = [
    (
        "a host that takes no guests",
        lambda pool: ("host", pool.named("host", "xenserver3")),
        "enabled",
        False,
        ("Hosts enabled", "xenserver3 takes no guests", "/xen enable"),
    ),
    (
        "another version",
        lambda pool: ("host", pool.named("host", "xenserver3")),
        "software_version",
        {"product_brand": "XenServer", "product_version": "8.3.0", "build_number": "7"},
        ("Versions", "xenserver3 runs XenServer 8.3.0 (7)", "bring every host to it"),
    ),
    (
        "an update that waits for a reboot",
        lambda pool: ("host", pool.named("host", "xenserver3")),
        "pending_guidances",
        ["reboot_host"],
        ("Updates", "xenserver3 still has to: reboot host"),
    ),
    (
        "a host with a CPU of another vendor",
        lambda pool: ("host", pool.named("host", "xenserver3")),
        "cpu_info",
        {"vendor": "AuthenticAMD", "cpu_count": "32"},
        ("CPU vendor", "AuthenticAMD", "cannot move between CPU vendors"),
    ),
    (
        "a host without virtualisation",
        lambda pool: ("host", pool.named("host", "xenserver3")),
        "capabilities",
        ["xen-3.0-x86_64"],
        ("HVM capability", "xenserver3 cannot run HVM guests", "firmware"),
    ),
    (
        "a certificate that ends soon",
        lambda pool: ("Certificate", pool.of_host("Certificate", "xenserver3")[0]),
        "not_after",
        _xapi_date(20),
        ("Certificates", "xenserver3", "ends in"),
    ),
    (
        "a licence that ended",
        lambda pool: ("host", pool.named("host", "xenserver3")),
        "license_params",
        {"edition": "standard", "expiry": _xapi_date(-1)},
        ("Licence", "xenserver3: the licence ended", "Renew"),
    ),
    (
        "no default storage",
        lambda pool: ("pool", pool.xapi.pool.get_all()[0]),
        "default_SR",
        "OpaqueRef:NULL",
        ("Default storage", "the pool has none"),
    ),
    (
        "a lost path",
        lambda pool: ("PBD", pool.of_host("PBD", "xenserver3")[0]),
        "other_config",
        {"multipathed": "true", "mpath-36001": "[2, 4]"},
        ("Paths to storage", "xenserver3 has 2 of 4 paths"),
    ),
    (
        "a plug that leads elsewhere",
        lambda pool: (
            "PBD",
            next(
                ref
                for ref in pool.of_host("PBD", "xenserver3")
                if pool.xapi.PBD.get_SR(ref) == pool.named("SR", "nfs-vhd")
            ),
        ),
        "device_config",
        {"server": "othernfs", "serverpath": "/home/test"},
        ("Storage settings", "the hosts reach nfs-vhd with different settings: server"),
    ),
    (
        "a promise beyond what there is",
        lambda pool: ("SR", pool.named("SR", "nfs-vhd")),
        "virtual_allocation",
        4 << 40,
        ("Thin overcommit", "may grow to 4 TiB of 2 TiB"),
    ),
    (
        "a cable that is out",
        lambda pool: ("PIF_metrics", pool.xapi.PIF.get_metrics(pool.of_host("PIF", "xenserver3")[0])),
        "carrier",
        False,
        ("Network links", "eth0 of xenserver3 has no link"),
    ),
    (
        "an operation nobody does",
        lambda pool: ("VM", pool.named("VM", "centos54")),
        "current_operations",
        {"OpaqueRef:5ec6db31-0000-4000-8000-000000000000": "snapshot"},
        ("Stuck operations", "guest centos54 claims to be in snapshot", "toolstack"),
    ),
    (
        "a pool in the middle of an upgrade",
        lambda pool: ("pool", pool.xapi.pool.get_all()[0]),
        "other_config",
        {"rolling_upgrade_in_progress": ""},
        ("Versions", "a rolling upgrade is in progress"),
    ),
]


@pytest.mark.timeout(180)
async def test_each_broken_field_is_found_and_explained_and_gone_once_mended(lab: StoryLab, pool: Pool) -> None:
    for what, find, field, value, words in FIELDS:
        kind, ref = find(pool)
        await pool.breaks(kind, ref, field, value)
        await _check(lab, *words)
        await pool.mend()
        gone = tuple(word for word in words if " " in word)[-1:]
        await _check(lab, without=gone)
        assert what


async def test_a_clock_that_is_wrong_is_told_from_all_the_others(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="skew_clock", host="xenserver3", seconds=60)
    await _check(lab, "Clocks", "xenserver3 is", "ahead of", "time servers")
    await lab.lab("datacentre", do="skew_clock", host="xenserver3", seconds=0)
    await _check(lab, without=("ahead of",))


async def test_a_storage_without_its_plug_comes_first_and_its_button_mends_it(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="unplug_pbd", sr="nfs-vhd", host="xenserver3")
    card = await _check(lab, "1 thing needs you", "nfs-vhd is not attached to xenserver3")
    await lab.xen("pool-check experiment")
    card = await lab.sees("nfs-vhd is not attached to xenserver3", "Attach", private=True)
    await lab.press(card, "Attach")
    plan = await lab.sees("Attach nfs-vhd to xenserver3", "Confirm", private=False)
    await lab.press(plan, "Confirm")
    await lab.sees("nfs-vhd is attached to xenserver3", private=False)
    await _check(lab, without=("is not attached to",))


async def test_a_storage_that_is_attached_needs_no_plug(lab: StoryLab) -> None:
    await lab.xen("plug nfs-vhd on xenserver3")
    await lab.sees("nfs-vhd is attached to xenserver3", "Nothing has to be done", private=True)


async def test_a_full_storage_needs_somebody(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="fill_sr", sr="nfs-vhd", free_gib=100)
    await _check(lab, "Storage space", "nfs-vhd is 95 % full, 100 GiB free", "needs you")


async def test_leftovers_are_named_old_snapshots_lone_disks_and_disks_of_a_control_domain(
    lab: StoryLab, pool: Pool
) -> None:
    xapi = pool.xapi
    snapshot = xapi.VM.snapshot(pool.named("VM", "centos54"), "before the upgrade")
    await pool.set("VM", xapi.VM.get_uuid(snapshot), "snapshot_time", _xapi_date(-40))
    lone = xapi.VDI.create(
        {
            "name_label": "nobody's",
            "name_description": "",
            "SR": pool.named("SR", "nfs-vhd"),
            "virtual_size": str(8 << 30),
            "type": "user",
            "sharable": False,
            "read_only": False,
            "other_config": {},
            "xenstore_data": {},
            "sm_config": {},
            "tags": [],
        }
    )
    await _check(
        lab, "“before the upgrade” of centos54", "1 disk on nfs-vhd", "belong to no guest, 8 GiB", "Look what they hold"
    )
    xapi.VDI.destroy(lone)
    for vbd in xapi.VM.get_VBDs(snapshot):
        if xapi.VBD.get_type(vbd) == "Disk":
            xapi.VDI.destroy(xapi.VBD.get_VDI(vbd))
    xapi.VM.destroy(snapshot)
    await _check(lab, without=("before the upgrade", "belong to no guest"))


async def test_a_lost_host_and_its_guests_come_first(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="kill_host", host="xenserver3")
    await _check(lab, "needs you", "Hosts live", "xenserver3 silent for", "XAPI still says live", "unconfirmed")


async def test_an_alert_of_today_is_told_in_words(lab: StoryLab, pool: Pool) -> None:
    host = pool.named("host", "xenserver3")
    pool.xapi.message.create("MULTIPATH_PERIODIC_ALERT", 3, "Host", pool.uuid("host", host), "")
    await _check(lab, "Alerts of a day", "paths to storage are missing")


async def test_all_pools_are_checked_in_one_answer_and_each_leads_on(lab: StoryLab) -> None:
    await lab.xen("pool-check", who="viewer")
    card = await lab.sees("experiment", "to watch", "fine", "first", who="viewer", private=True)
    labels = strings(card)
    assert "Check experiment" in labels
    await lab.press(card, "Check experiment", who="viewer")
    card = await lab.sees("Memory to spare", "would fit nowhere", who="viewer", private=True)
    await lab.press(card, "Show all", who="viewer")
    await lab.sees("Hosts live", "2 hosts live and answering", "Certificates", who="viewer", private=True)


async def test_high_availability_whose_plan_is_short_needs_somebody(lab: StoryLab, pool: Pool) -> None:
    (ref,) = pool.xapi.pool.get_all()
    await pool.breaks("pool", ref, "ha_enabled", True)
    await pool.breaks("pool", ref, "ha_host_failures_to_tolerate", 1)
    await pool.breaks("pool", ref, "ha_plan_exists_for", 0)
    await _check(lab, "High availability", "its plan covers 0 failed hosts where 1 are wanted")
