"""Objects beside guests and disks: what every real pool has, and how they hang together."""

from datacentre_client import Rpc, Until, guest_of

from bot.lab.xapi import Datacentre
from bot.lab.xapi.schema.model import CLASSES


async def test_what_every_pool_has_is_there_and_what_none_needs_is_not(rpc: Rpc) -> None:
    counts = (await rpc.call("event.from", ["pool"], "", 0.0))["valid_ref_counts"]
    assert set(counts) == {name.lower() for name in CLASSES}
    filled = {name for name, count in counts.items() if count}
    assert {"host_cpu", "sm", "console", "certificate", "pci", "user", "secret", "network", "pif_metrics"} <= filled
    # Their numbers are of the server's model and of removed classes.
    assert not filled & {"role", "vbd_metrics", "vif_metrics", "vmpp", "pool_patch", "bond", "vlan", "cluster"}


async def test_every_class_with_a_table_can_be_subscribed_to(rpc: Rpc) -> None:
    for name in CLASSES:
        answer = await rpc.call("event.from", [name], "", 0.0)
        assert {event["class"] for event in answer["events"]} <= {name.lower()}
        expected = 0 if name == "session" else answer["valid_ref_counts"][name.lower()]
        assert len(answer["events"]) == expected, name


async def test_a_host_lists_its_processors_and_devices(rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver1")
    record = await rpc.call("host.get_record", host)
    assert len(record["host_CPUs"]) == int(record["cpu_info"]["cpu_count"])
    processor = await rpc.call("host_cpu.get_record", record["host_CPUs"][5])
    assert (processor["host"], processor["number"]) == (host, 5)
    assert processor["modelname"] == record["cpu_info"]["modelname"]
    card = await rpc.call("PIF.get_PCI", record["PIFs"][0])
    assert card in record["PCIs"]
    assert await rpc.call("PCI.get_class_name", card) == "Ethernet controller"


async def test_every_storage_repository_has_its_driver(rpc: Rpc) -> None:
    drivers = {driver["type"]: driver for driver in (await rpc.call("SM.get_all_records")).values()}
    for storage in (await rpc.call("SR.get_all_records")).values():
        driver = drivers[storage["type"]]
        assert driver["features"]["VDI_CREATE"] == 1
        for plugged in storage["PBDs"]:
            config = await rpc.call("PBD.get_device_config", plugged)
            assert config.keys() <= driver["configuration"].keys()


async def test_a_host_shows_the_certificate_that_its_record_tells(datacentre: Datacentre, rpc: Rpc) -> None:
    for name in ("xenserver1", "xenserver3"):
        listed = await rpc.call("host.get_certificates", await rpc.find("host", name))
        records = [await rpc.call("Certificate.get_record", one) for one in listed]
        assert {record["type"] for record in records} == {"host", "host_internal"}
        printed = datacentre.hosts[name].fingerprint.removeprefix("sha256:")
        for record in records:
            assert record["fingerprint"].replace(":", "").lower() == printed
            assert record["not_before"] < record["not_after"]


async def test_a_console_follows_its_guest_and_goes_with_its_domain(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    guest, target = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    console = (await rpc.call("VM.get_consoles", guest))[0]
    record = await rpc.call("console.get_record", console)
    assert (record["protocol"], record["VM"]) == ("rfb", guest)
    assert record["location"].endswith(f"/console?uuid={record['uuid']}")
    await rpc.call("VM.pool_migrate", guest, target, {})
    address = await rpc.call("host.get_address", target)
    assert await rpc.call("VM.get_consoles", guest) == [console]
    assert (await rpc.call("console.get_location", console)).startswith(f"https://{address}/")
    await rpc.call("VM.hard_shutdown", guest)
    assert await rpc.call("VM.get_consoles", guest) == []
    assert await rpc.fail("console.get_record", console) == ["HANDLE_INVALID", "console", console]
    await rpc.call("VM.start", guest, False, False)
    await until(lambda: guest_of(datacentre, "centos54")["power_state"] == "Running")
    assert len(await rpc.call("VM.get_consoles", guest)) == 1


async def test_what_the_licence_withholds_is_told_and_refused(rpc: Rpc) -> None:
    pool, network = (await rpc.call("pool.get_all"))[0], (await rpc.call("network.get_all"))[0]
    restrictions = await rpc.call("pool.get_restrictions", pool)
    assert restrictions["restrict_corosync"] == "true"
    assert restrictions["restrict_xen_motion"] == "false"
    host = await rpc.find("host", "xenserver1")
    assert restrictions.items() <= (await rpc.call("host.get_license_params", host)).items()
    assert await rpc.fail("Cluster.pool_create", network, "corosync") == ["LICENCE_RESTRICTION", "Corosync"]


async def test_removed_fields_and_classes_say_so(rpc: Rpc) -> None:
    drive = (await rpc.call("VM.get_VBDs", await rpc.find("VM", "centos54")))[0]
    assert await rpc.fail("VBD.get_metrics", drive) == ["MESSAGE_REMOVED"]
    assert await rpc.fail("VBD_metrics.get_all_records") == ["MESSAGE_REMOVED"]
    assert await rpc.fail("VMPP.create", {}) == ["MESSAGE_REMOVED"]
    assert (await rpc.fail("VMPP.create"))[0] == "MESSAGE_PARAMETER_COUNT_MISMATCH"
