"""NFS servers: what hosts find there, how they fail, and what stays where no pool has a record of it."""

from pathlib import Path

import aiohttp
import pytest
from datacentre_client import Connect, Rpc, running
from storage_client import GIB

from bot.lab.xapi import Datacentre

ARTICLE = Path(__file__).parents[3] / "bot" / "lab" / "worlds" / "article.toml"
SECOND = {"server": "nfsserver", "serverpath": "/home/second"}
MOUNT = [
    "SR_BACKEND_FAILURE_73",
    "",
    "NFS mount error [opterr=mount failed on server `nfsserver` with return code 32]",
    "",
]
NO_LIBRARY = (
    "Could not mount the directory specified in Device Configuration "
    "[opterr=mount failed on server `nfsserver` with return code 32]"
)
LIBRARY = ["SR_BACKEND_FAILURE_222", "", NO_LIBRARY, ""]
NO_LOCATION = [
    "SR_BACKEND_FAILURE_220",
    "",
    "'Location' parameter must be specified in Device Configuration",
    "",
]
NOBODY = ["SR_BACKEND_FAILURE_108", "", "Unable to detect an NFS service on this target.", ""]
NO_NAME = ["SR_BACKEND_FAILURE_140", "", "Incorrect DNS name, unable to resolve.", ""]
NO_PATH = ["SR_BACKEND_FAILURE_101", "", "The request is missing the serverpath parameter"]
READ_ONLY = [
    "SR_BACKEND_FAILURE_461",
    "",
    "The file system for SR cannot be written to. [opterr=remote filesystem is read-only error is 30]",
    "",
]
NO_DIRECTORY = "NFS SR creation error [opterr=remote directory creation error is {}]"


def make(host: str, config: dict[str, str], name: str = "added") -> tuple[object, ...]:
    """Returns the parameters of an `SR.create` that all hosts share."""
    return host, config, "0", name, "", "nfs", "user", True, {}


async def list_uuids(rpc: Rpc) -> list[str]:
    return sorted(record["uuid"] for record in (await rpc.call("SR.get_all_records")).values())


@pytest.mark.parametrize("name", ["xenserver1", "xenserver3"])
async def test_without_a_path_every_host_is_told_what_the_server_exports(rpc: Rpc, name: str) -> None:
    error = await rpc.fail("SR.probe", await rpc.find("host", name), {"server": "nfsserver"}, "nfs", {})
    exports = "".join(
        f"\n\t<Export>\n\t\t<Target>nfsserver</Target>\n\t\t<Path>{path}</Path>"
        "\n\t\t<Accesslist>*</Accesslist>\n\t</Export>"
        for path in ("/home/test", "/home/second", "/home/images", "/home/old")
    )
    assert error == [*NO_PATH, f'<?xml version="1.0" ?>\n<nfs-exports>{exports}\n</nfs-exports>\n']


async def test_with_a_path_the_repositories_there_are_listed(rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver3")
    uuid = await rpc.call("SR.get_uuid", await rpc.find("SR", "nfs-vhd"))
    home = {"server": "192.0.2.100", "serverpath": "/home/test/"}
    found = await rpc.call("SR.probe", host, home, "NFS", {})
    assert found == f'<?xml version="1.0" ?>\n<SRlist>\n\t<SR>\n\t\t<UUID>{uuid}</UUID>\n\t</SR>\n</SRlist>\n'
    assert await rpc.call("SR.probe", host, SECOND, "nfs", {}) == '<?xml version="1.0" ?>\n<SRlist/>\n'
    versions = await rpc.call("SR.probe", host, {**SECOND, "probeversion": ""}, "nfs", {})
    assert "<SupportedVersions>\n\t\t<Version>3</Version>\n\t\t<Version>4</Version>\n\t</SupportedVersions>" in versions


async def test_a_new_repository_is_plugged_into_every_host_and_has_the_size_of_its_file_system(rpc: Rpc) -> None:
    made = await rpc.call("SR.create", *make(await rpc.find("host", "xenserver1"), SECOND))
    record = await rpc.call("SR.get_record", made)
    assert (record["physical_size"], record["physical_utilisation"], record["shared"]) == (200 * GIB, 0, True)
    plugs = [await rpc.call("PBD.get_record", pbd) for pbd in record["PBDs"]]
    assert {plug["host"] for plug in plugs} == set(await rpc.call("host.get_all"))
    assert all(plug["currently_attached"] and plug["device_config"] == SECOND for plug in plugs)


@pytest.mark.parametrize(
    ("switch", "config", "probed", "made"),
    [
        ({"rpcbind": "stopped"}, SECOND, MOUNT, MOUNT),
        ({"rpcbind": "stopped"}, {**SECOND, "nfsversion": "4"}, [], []),
        ({"rpcbind": "stopped"}, {"server": "nfsserver"}, None, None),
        ({"nfs": "stopped"}, SECOND, NOBODY, NOBODY),
        ({"nfs": "stopped"}, {"server": "nfsserver"}, NOBODY, NOBODY),
        ({"export": "missing"}, SECOND, MOUNT, MOUNT),
        ({"export": "missing"}, {"server": "nfsserver"}, [*NO_PATH, '<?xml version="1.0" ?>\n<nfs-exports/>\n'], None),
        ({}, {"server": "nfsserver", "serverpath": "/home/wrong"}, MOUNT, MOUNT),
        ({"address": "unknown"}, SECOND, NO_NAME, NO_NAME),
        ({"address": "unknown"}, {**SECOND, "server": "192.0.2.100"}, [], []),
        ({}, {**SECOND, "server": "nowhere"}, NO_NAME, NO_NAME),
        ({}, {**SECOND, "server": "192.0.2.200"}, NOBODY, NOBODY),
        ({"read_only": True}, SECOND, [], READ_ONLY),
        ({"root_squash": True}, SECOND, [], ["SR_BACKEND_FAILURE_88", "", NO_DIRECTORY.format(13), ""]),
        ({"full": True}, SECOND, [], ["SR_BACKEND_FAILURE_88", "", NO_DIRECTORY.format(28), ""]),
        ({"clients": ["xenserver3"]}, SECOND, MOUNT, MOUNT),
        ({"clients": ["127.0.1.0/24"]}, SECOND, [], []),
        ({}, {**SECOND, "nfsversion": "5"}, *[["SR_BACKEND_FAILURE_1200", "", "Invalid nfsversion.", ""]] * 2),
    ],
)
async def test_each_cause_has_its_code_and_leaves_no_record(
    datacentre: Datacentre,
    rpc: Rpc,
    switch: dict[str, object],
    config: dict[str, str],
    probed: list[str] | None,
    made: list[str] | None,
) -> None:
    """An empty list stands for success, None for what another case shows."""
    host, before = await rpc.find("host", "xenserver1"), await list_uuids(rpc)
    await datacentre.do({"do": "nfs", "server": "nfsserver", **switch})
    for method, params, error in (
        ("SR.probe", (host, config, "nfs", {}), probed),
        ("SR.create", make(host, config), made),
    ):
        if error:
            assert await rpc.fail(method, *params) == error
            assert await list_uuids(rpc) == before
            assert all(record["currently_attached"] for record in (await rpc.call("PBD.get_all_records")).values())
        elif error is not None:
            assert await rpc.call(method, *params)


async def test_a_server_of_version_4_alone_shows_the_first_step_of_its_paths(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "nfs", "server": "nfsserver", "rpcbind": "stopped"})
    host = await rpc.find("host", "xenserver1")
    *_, told = await rpc.fail("SR.probe", host, {"server": "nfsserver"}, "nfs", {})
    assert "<Path>home</Path>\n\t\t<Accesslist>*</Accesslist>" in told


async def test_newer_servers_ask_for_the_version_before_they_mount(datacentre: Datacentre, connect: Connect) -> None:
    newer = await connect("xenserver-fp1").login()
    await datacentre.do({"do": "nfs", "server": "nfsserver", "rpcbind": "stopped"})
    error = await newer.fail("SR.probe", await newer.find("host", "xenserver-fp1"), SECOND, "nfs", {})
    text = "Required NFS server version unsupported [opterr=Unsupported NFS version: 3]"
    assert error == ["SR_BACKEND_FAILURE_72", "", text, ""]


async def test_a_server_of_version_3_alone_tells_none_without_rpcbind(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    world = tmp_path / "old.toml"
    named = 'name = "nfsserver"\n'
    text = ARTICLE.read_text(encoding="utf-8")
    assert named in text
    world.write_text(text.replace(named, f'{named}versions = ["3"]\n', 1), encoding="utf-8")
    async with running(str(world), http, speed=20.0) as (lab, rpc):
        host = await rpc.find("host", "xenserver1")
        assert await rpc.fail("SR.probe", host, {**SECOND, "nfsversion": "4"}, "nfs", {}) == MOUNT
        await lab.do({"do": "nfs", "server": "nfsserver", "rpcbind": "stopped"})
        text = "Failed to read supported NFS version from server nfsserver"
        unread = f"Required NFS server version unsupported [opterr={text}]"
        assert await rpc.fail("SR.probe", host, SECOND, "nfs", {}) == ["SR_BACKEND_FAILURE_72", "", unread, ""]
        # Nobody tells the exports either.
        assert await rpc.fail("SR.probe", host, {"server": "nfsserver"}, "nfs", {}) == [*NO_PATH, ""]


async def test_where_one_host_cannot_mount_the_repository_is_made_and_that_host_stays_unplugged(
    datacentre: Datacentre, rpc: Rpc
) -> None:
    await datacentre.do({"do": "nfs", "server": "nfsserver", "path": "/home/second", "clients": ["xenserver1"]})
    made = await rpc.call("SR.create", *make(await rpc.find("host", "xenserver1"), SECOND))
    other = await rpc.find("host", "xenserver3")
    plugs = {
        record["host"]: (pbd, record["currently_attached"])
        for pbd, record in (await rpc.call("PBD.get_all_records")).items()
        if record["SR"] == made
    }
    assert [attached for _, attached in plugs.values()].count(True) == 1
    assert await rpc.fail("PBD.plug", plugs[other][0]) == MOUNT
    await datacentre.do({"do": "nfs", "server": "nfsserver", "path": "/home/second", "clients": []})
    await rpc.call("PBD.plug", plugs[other][0])
    assert await rpc.call("PBD.get_currently_attached", plugs[other][0])


async def test_a_repository_is_there_for_whoever_looks_after_its_record_is_gone(
    datacentre: Datacentre, rpc: Rpc, connect: Connect
) -> None:
    """Forgotten by one pool it is found and attached by another, with its disks; a file has no name of its disk."""
    made = await rpc.call("SR.create", *make(await rpc.find("host", "xenserver1"), SECOND))
    uuid = await rpc.call("SR.get_uuid", made)
    fields = {"name_label": "data", "SR": made, "virtual_size": str(GIB), "type": "user", "sharable": False}
    disk = await rpc.call("VDI.create", {**fields, "read_only": False, "other_config": {}})
    disk_uuid = await rpc.call("VDI.get_uuid", disk)
    for pbd in await rpc.call("SR.get_PBDs", made):
        await rpc.call("PBD.unplug", pbd)
    await rpc.call("SR.forget", made)
    other = await connect("xenserver4").login()
    host = await other.find("host", "xenserver4")
    assert f"<UUID>{uuid}</UUID>" in await other.call("SR.probe", host, SECOND, "nfs", {})
    again = await other.call("SR.introduce", uuid, "back", "", "nfs", "user", True, {})
    assert await other.call("SR.get_physical_size", again) == -1
    wrong = await other.call(
        "PBD.create", {"host": host, "SR": again, "device_config": {**SECOND, "serverpath": "/home/test"}}
    )
    assert await other.fail("PBD.plug", wrong) == MOUNT
    await other.call("PBD.destroy", wrong)
    await other.call("PBD.plug", await other.call("PBD.create", {"host": host, "SR": again, "device_config": SECOND}))
    await other.call("SR.scan", again)
    record = await other.call("VDI.get_record", await other.call("VDI.get_by_uuid", disk_uuid))
    assert (record["virtual_size"], record["name_label"]) == (GIB, "")
    assert await other.call("SR.get_physical_size", again) == 200 * GIB


async def test_a_destroyed_repository_is_found_by_nobody(datacentre: Datacentre, rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver1")
    made = await rpc.call("SR.create", *make(host, SECOND))
    for pbd in await rpc.call("SR.get_PBDs", made):
        await rpc.call("PBD.unplug", pbd)
    await datacentre.do({"do": "nfs", "server": "nfsserver", "read_only": True})
    assert (await rpc.fail("SR.destroy", made))[0] == "SR_BACKEND_FAILURE_76"
    await datacentre.do({"do": "nfs", "server": "nfsserver", "read_only": False})
    await rpc.call("SR.destroy", made)
    assert "<SR>" not in await rpc.call("SR.probe", host, SECOND, "nfs", {})


@pytest.mark.parametrize(
    ("switch", "location", "error"),
    [
        ({}, "nfsserver:/home/images", []),
        ({}, "/opt/images", []),
        ({}, "//192.0.2.6/images", []),
        ({"rpcbind": "stopped"}, "nfsserver:/home/images", LIBRARY),
        ({"clients": ["xenserver3"]}, "nfsserver:/home/images", LIBRARY),
        ({}, "nfsserver:/home/wrong", LIBRARY),
        ({"nfs": "stopped"}, "nfsserver:/home/images", NOBODY),
        ({}, "nowhere:/home/images", NO_NAME),
        ({}, "", NO_LOCATION),
    ],
)
async def test_a_library_of_images_is_mounted_or_says_why_not(
    datacentre: Datacentre, rpc: Rpc, switch: dict[str, object], location: str, error: list[str]
) -> None:
    host = await rpc.find("host", "xenserver1")
    await datacentre.do({"do": "nfs", "server": "nfsserver", **switch})
    params = (host, {"location": location}, "0", "images", "", "iso", "iso", True, {})
    if error:
        assert await rpc.fail("SR.create", *params) == error
        return
    plugs = await rpc.call("SR.get_PBDs", await rpc.call("SR.create", *params))
    assert [await rpc.call("PBD.get_currently_attached", pbd) for pbd in plugs] == [True, True]


async def test_shared_storage_that_the_coordinator_does_not_see_is_good_for_nothing(
    datacentre: Datacentre, rpc: Rpc
) -> None:
    """The coordinator does the work on what is shared, and nobody stands in for it."""
    await datacentre.do({"do": "nfs", "server": "nfsserver", "path": "/home/second", "clients": ["xenserver3"]})
    made = await rpc.call("SR.create", *make(await rpc.find("host", "xenserver3"), SECOND))
    fields = {"name_label": "d", "SR": made, "virtual_size": str(GIB), "type": "user", "sharable": False}
    for method, *params in (
        ("SR.scan", made),
        ("VDI.create", {**fields, "read_only": False, "other_config": {}}),
    ):
        assert await rpc.fail(method, *params) == ["SR_HAS_NO_PBDS", made]


async def test_drivers_without_a_probe_say_so_and_unknown_ones_are_refused(rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver1")
    assert await rpc.fail("SR.probe", host, {}, "nope", {}) == ["SR_UNKNOWN_DRIVER", "nope"]
    assert (await rpc.fail("SR.probe", host, {"location": "x"}, "iso", {}))[0] == "SR_BACKEND_FAILURE_38"
    assert (await rpc.fail("SR.probe", host, {"target": "192.0.2.50"}, "lvmoiscsi", {}))[0] == "SR_BACKEND_FAILURE_96"
    assert (await rpc.fail("SR.probe", host, {}, "nfs", {}))[0] == "SR_BACKEND_FAILURE_102"
    assert (await rpc.fail("SR.probe_ext", host, SECOND, "nfs", {}))[0] == "SR_OPERATION_NOT_SUPPORTED"
