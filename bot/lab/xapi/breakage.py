"""Breaks one host and mends it again: what its records show, and the alerts that a real server sends with it."""

import re
from datetime import UTC, datetime
from typing import Final

from bot.lab.xapi.breaking import EndCertificate, LosePaths, PullCable, ShrinkControlDomain
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.memory import compute_free, rebalance
from bot.lab.xapi.values import MIB, NULL_REF, Date, Value, shifted

_DAY_S: Final = 86_400.0
_COUNTS: Final = re.compile(r"\[(\d+), (\d+)\]")
_BOOT_DISK: Final = "mpath-boot"
# Days before the end of a certificate, what is said then, and how urgent it is.
_WARNINGS: Final = ((0, "EXPIRED", 1), (7, "EXPIRING_07", 1), (14, "EXPIRING_14", 2), (30, "EXPIRING_30", 3))
_LIMITS: Final = ("memory_static_min", "memory_dynamic_min", "memory_dynamic_max", "memory_static_max")


def pull_cable(pool: Pool, machine: Machine, control: PullCable) -> None:
    """Pulls the cable of a physical interface or puts it back; the bond that it is a part of counts its links.

    Raises:
        ValueError: The host has no such interface.
    """
    database = pool.database
    for pif in database.get("host", machine.ref, "PIFs"):
        record = database.record("PIF", pif)
        if record["physical"] and record["device"] == control.device:
            is_up = control.link == "up"
            database.set("PIF_metrics", record["metrics"], carrier=is_up, speed=1000 if is_up else 0)
            bond = record["bond_slave_of"]
            if database.has("Bond", bond):
                parts = [database.get("PIF", part, "metrics") for part in database.get("Bond", bond, "slaves")]
                up = sum(bool(database.get("PIF_metrics", one, "carrier")) for one in parts)
                database.set("Bond", bond, links_up=up)
            return
    raise ValueError(f"Host {machine.name!r} has no network card {control.device!r}.")


def end_certificate(pool: Pool, machine: Machine, control: EndCertificate) -> None:
    """Moves the end of a host's certificates, and sends the alert that this is worth."""
    database, whole = pool.database, machine.whole
    for ref in _list_certificates(pool, machine):
        whole.certificates.setdefault(ref, database.get("Certificate", ref, "not_after"))
        end = whole.certificates[ref]
        if control.days is not None:
            end = shifted(pool.clock.now(), control.days * _DAY_S)
        database.set("Certificate", ref, not_after=end)
    if control.days is None:
        return
    for days, name, priority in _WARNINGS:
        if control.days <= days:
            end = shifted(pool.clock.now(), control.days * _DAY_S)
            said = "has expired" if days == 0 else "is expiring soon"
            body = f"<body><message>The TLS server certificate {said}.</message><date>{end}</date></body>"
            announced = f"HOST_SERVER_CERTIFICATE_{name}"
            pool.announce(announced, cls="Host", ref=machine.ref, body=body, priority=priority)
            return


def shrink_control_domain(pool: Pool, machine: Machine, control: ShrinkControlDomain) -> None:
    """Leaves a control domain so much memory; the rest is free for guests.

    Raises:
        ValueError: The host has not so much free.
    """
    database, whole = pool.database, machine.whole
    domain = database.get("host", machine.ref, "control_domain")
    whole.dom0_memory = whole.dom0_memory or database.get("VM", domain, "memory_dynamic_max")
    size = whole.dom0_memory if control.mib is None else control.mib * MIB
    if size - database.get("VM", domain, "memory_dynamic_min") > compute_free(database, machine.ref):
        raise ValueError(f"The guests of host {machine.name!r} have taken that memory.")
    database.set("VM", domain, memory_target=size, **dict.fromkeys(_LIMITS, size))
    database.set("VM_metrics", database.get("VM", domain, "metrics"), memory_actual=size)
    rebalance(database, machine.ref)


def lose_paths(pool: Pool, machine: Machine, storage: str | None, control: LosePaths) -> None:
    """Changes how many paths are up, in the words of a host's multipath daemon, and sends its alert.

    Raises:
        ValueError: The storage is on no LUN, the host is not connected to it, or more are up than there are.
    """
    database = pool.database
    if control.up > control.of:
        raise ValueError(f"Of {control.of} paths {control.up} cannot be up.")
    counts = f"[{control.up}, {control.of}]"
    if storage is None:
        _write(pool, "host", machine.ref, {_BOOT_DISK: counts})
        device = "the disk it starts from"
    else:
        name = database.get("SR", storage, "name_label")
        pbd = next((one for one in database.get("host", machine.ref, "PBDs") if _leads(pool, one, storage)), "")
        if not pbd:
            raise ValueError(f"Host {machine.name!r} has no connection to storage {name!r}.")
        device = database.get("PBD", pbd, "device_config").get("SCSIid", "")
        if not device:
            raise ValueError(f"Storage {name!r} is on no LUN: there is only one way to it.")
        _write(pool, "PBD", pbd, {"multipathed": "true", f"mpath-{device}": counts})
    if control.up < control.of:
        body = f"{machine.name} has {control.up} of {control.of} paths to {device}."
        pool.announce("MULTIPATH_PERIODIC_ALERT", cls="Host", ref=machine.ref, body=body, priority=3)


def describe(pool: Pool, ref: str) -> dict[str, Value]:
    """Returns what is broken of a host, for the state of the datacentre."""
    database, machine = pool.database, pool.machines[ref]
    record = database.record("host", ref)
    pifs = [database.record("PIF", pif) for pif in record["PIFs"]]
    plugs = [database.record("PBD", pbd) for pbd in record["PBDs"]]
    ends = [database.get("Certificate", one, "not_after") for one in _list_certificates(pool, machine)]
    domain = record["control_domain"]
    memory = 0 if domain == NULL_REF else database.get("VM", domain, "memory_dynamic_max")
    return {
        "clock_ahead": machine.clock_ahead_s,
        "cards": [
            {"device": pif["device"], "link": bool(database.get("PIF_metrics", pif["metrics"], "carrier"))}
            for pif in pifs
            if pif["physical"] and database.has("PIF_metrics", pif["metrics"])
        ],
        "certificate_days": min((_count_days(pool.clock.now(), end) for end in ends), default=None),
        "dom0_memory": memory,
        "dom0_usual": machine.whole.dom0_memory or memory,
        "licensing": machine.licensing,
        "lost_file": machine.lost_file,
        "dom0_strained": machine.control_load is not None or machine.control_free is not None,
        "unplugged": [database.get("SR", plug["SR"], "uuid") for plug in plugs if not plug["currently_attached"]],
        "paths": [
            *_list_paths(record["other_config"], None),
            *(
                path
                for plug in plugs
                for path in _list_paths(plug["other_config"], database.get("SR", plug["SR"], "uuid"))
            ),
        ],
    }


def _list_certificates(pool: Pool, machine: Machine) -> list[str]:
    known = pool.database.get("host", machine.ref, "certificates")
    return [ref for ref in known if pool.database.get("Certificate", ref, "type") == "host"]


def _list_paths(other_config: dict[str, str], storage: str | None) -> list[dict[str, Value]]:
    """Returns what records say of paths: to a storage by its UUID, or to the disk that the host starts from."""
    found = [_COUNTS.fullmatch(counts) for key, counts in other_config.items() if key.startswith("mpath-")]
    return [{"sr": storage, "up": int(one[1]), "of": int(one[2])} for one in found if one is not None]


def _leads(pool: Pool, pbd: str, storage: str) -> bool:
    return bool(pool.database.get("PBD", pbd, "SR") == storage)


def _write(pool: Pool, class_name: str, ref: str, more: dict[str, str]) -> None:
    known = pool.database.get(class_name, ref, "other_config")
    pool.database.set(class_name, ref, other_config={**known, **more})


def _count_days(now: Date, end: Date) -> float:
    begins, ends = (datetime.strptime(one, "%Y%m%dT%H:%M:%SZ").replace(tzinfo=UTC) for one in (now, end))
    return round((ends - begins).total_seconds() / _DAY_S, 1)
