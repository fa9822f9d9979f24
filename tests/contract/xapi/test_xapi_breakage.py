"""Hosts that somebody breaks one by one, as records and alerts show it; and mends again."""

from typing import Any

import pytest
from datacentre_client import Rpc, host_of
from storage_client import add_storage, find_local, read_messages

from bot.lab.xapi import Datacentre

HOST = "xenserver3"


async def of_host(rpc: Rpc, class_name: str) -> list[tuple[str, dict[str, Any]]]:
    """Returns the objects of the host that is broken."""
    host = await rpc.find("host", HOST)
    return [(ref, one) for ref, one in (await rpc.call(f"{class_name}.get_all_records")).items() if one["host"] == host]


async def list_alerts(rpc: Rpc) -> list[tuple[str, int, str]]:
    """Returns name, priority and class of the alerts about the host."""
    uuid = await rpc.call("host.get_uuid", await rpc.find("host", HOST))
    return [(one["name"], one["priority"], one["cls"]) for one in await read_messages(rpc) if one["obj_uuid"] == uuid]


async def test_a_cable_is_pulled_and_put_back(datacentre: Datacentre, rpc: Rpc) -> None:
    [(_, card)] = await of_host(rpc, "PIF")
    for link, carrier, speed in (("down", False, 0), ("up", True, 1000)):
        await datacentre.do({"do": "carrier", "host": HOST, "link": link})
        metrics = await rpc.call("PIF_metrics.get_record", card["metrics"])
        assert (metrics["carrier"], metrics["speed"]) == (carrier, speed)
        assert host_of(datacentre, HOST)["cards"] == [{"device": "eth0", "link": carrier}]
    with pytest.raises(ValueError, match=r"no network card 'eth7'\.$"):
        await datacentre.do({"do": "carrier", "host": HOST, "device": "eth7"})


@pytest.mark.parametrize(
    ("days", "alerts"),
    [
        (20, [("HOST_SERVER_CERTIFICATE_EXPIRING_30", 3, "Host")]),
        (10, [("HOST_SERVER_CERTIFICATE_EXPIRING_14", 2, "Host")]),
        (5, [("HOST_SERVER_CERTIFICATE_EXPIRING_07", 1, "Host")]),
        (-1, [("HOST_SERVER_CERTIFICATE_EXPIRED", 1, "Host")]),
        (300, []),
    ],
)
async def test_a_certificate_ends_with_the_alert_of_its_days(
    datacentre: Datacentre, rpc: Rpc, days: int, alerts: list[tuple[str, int, str]]
) -> None:
    before = {ref: one["not_after"] for ref, one in await of_host(rpc, "Certificate")}
    await datacentre.do({"do": "certificate", "host": HOST, "days": days})
    assert await list_alerts(rpc) == alerts
    assert host_of(datacentre, HOST)["certificate_days"] == pytest.approx(days, abs=0.1)
    assert host_of(datacentre, "xenserver1")["certificate_days"] > 300
    await datacentre.do({"do": "certificate", "host": HOST})
    assert {ref: one["not_after"] for ref, one in await of_host(rpc, "Certificate")} == before


async def test_a_control_domain_is_starved_and_fed(datacentre: Datacentre, rpc: Rpc) -> None:
    domain = await rpc.call("host.get_control_domain", await rpc.find("host", HOST))
    free = await rpc.call("host.compute_free_memory", await rpc.find("host", HOST))
    for mib, has in ((512, 512 << 20), (1024, 1 << 30), (None, 4 << 30)):
        await datacentre.do({"do": "dom0_memory", "host": HOST, "mib": mib})
        record = await rpc.call("VM.get_record", domain)
        metrics = await rpc.call("VM_metrics.get_record", record["metrics"])
        assert {record["memory_static_min"], record["memory_static_max"], metrics["memory_actual"]} == {has}
        told = host_of(datacentre, HOST)
        assert (told["dom0_memory"], told["dom0_usual"]) == (has, 4 << 30)
        left = int(await rpc.call("host.compute_free_memory", await rpc.find("host", HOST)))
        assert left - int(free) == (4 << 30) - has
    await datacentre.do({"do": "dom0_memory", "host": HOST, "mib": 512})
    with pytest.raises(ValueError, match="have taken that memory"):
        await datacentre.do({"do": "dom0_memory", "host": HOST, "mib": 1_000_000})


async def test_paths_to_a_lun_are_lost_and_come_back(datacentre: Datacentre, rpc: Rpc) -> None:
    storage, host = await add_storage(rpc, "lun", "lvmoiscsi"), await rpc.find("host", HOST)
    for up, alerts in ((1, 1), (2, 1)):
        await datacentre.do({"do": "paths", "host": HOST, "sr": "lun", "up": up, "of": 2})
        plugs = {one["host"]: one["other_config"] for _, one in await of_storage(rpc, storage)}
        assert plugs.pop(host) == {"multipathed": "true", "mpath-360000000000000001": f"[{up}, 2]"}
        assert all(not config for config in plugs.values())
        assert await list_alerts(rpc) == [("MULTIPATH_PERIODIC_ALERT", 3, "Host")] * alerts
        uuid = await rpc.call("SR.get_uuid", storage)
        assert host_of(datacentre, HOST)["paths"] == [{"sr": uuid, "up": up, "of": 2}]


async def of_storage(rpc: Rpc, storage: str) -> list[tuple[str, dict[str, Any]]]:
    return [(ref, one) for ref, one in (await rpc.call("PBD.get_all_records")).items() if one["SR"] == storage]


async def test_paths_to_the_disk_that_a_host_starts_from_are_told_by_the_host(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "paths", "host": HOST, "up": 0, "of": 4})
    assert (await rpc.call("host.get_other_config", await rpc.find("host", HOST)))["mpath-boot"] == "[0, 4]"
    assert host_of(datacentre, HOST)["paths"] == [{"sr": None, "up": 0, "of": 4}]


async def test_where_there_is_one_way_only_no_path_is_lost(datacentre: Datacentre, rpc: Rpc) -> None:
    local = await rpc.call("SR.get_uuid", await find_local(rpc, "xenserver1"))
    for request, sentence in (
        ({"sr": "nfs-vhd"}, "on no LUN"),
        ({"sr": local}, "no connection to storage 'Local storage'"),
        ({"up": 3, "of": 2}, "Of 2 paths 3 cannot be up"),
    ):
        with pytest.raises(ValueError, match=sentence):
            await datacentre.do({"do": "paths", "host": HOST, **request})


async def test_a_clock_and_a_plug_that_are_wrong_show_at_their_host(datacentre: Datacentre, rpc: Rpc) -> None:
    uuid = await rpc.call("SR.get_uuid", await rpc.find("SR", "nfs-vhd"))
    await datacentre.do({"do": "skew_clock", "host": HOST, "seconds": 60})
    await datacentre.do({"do": "unplug_pbd", "sr": "nfs-vhd", "host": HOST})
    assert (host_of(datacentre, HOST)["clock_ahead"], host_of(datacentre, HOST)["unplugged"]) == (60, [uuid])
    await datacentre.do({"do": "skew_clock", "host": HOST, "seconds": 0})
    await datacentre.do({"do": "plug_pbd", "sr": "nfs-vhd", "host": HOST})
    assert (host_of(datacentre, HOST)["clock_ahead"], host_of(datacentre, HOST)["unplugged"]) == (0, [])
