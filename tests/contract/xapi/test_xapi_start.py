"""Starting and stopping a datacentre."""

from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from datacentre_client import PASSWORD, Rpc

from bot.lab.xapi import Datacentre


def find_readable_by_others(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.stat().st_mode & 0o077]


async def test_certificates_are_kept_between_starts(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        lab = Datacentre(port=0, password=PASSWORD, certificates=tmp_path)
        await lab.start()
        seen.append({name: host.fingerprint for name, host in lab.hosts.items()})
        await lab.stop()
    assert seen[0] == seen[1]
    assert find_readable_by_others(tmp_path) == []


async def test_a_port_in_use_is_an_error_and_leaves_nothing_open(datacentre: Datacentre) -> None:
    taken = urlsplit(datacentre.hosts["xenserver3"].https).port
    lab = Datacentre(port=taken or 0, password=PASSWORD)
    with pytest.raises(OSError, match="address already in use"):
        await lab.start()
    await lab.stop()


async def test_plain_http_is_on_the_next_port(datacentre: Datacentre) -> None:
    for host in datacentre.hosts.values():
        secure, plain = urlsplit(host.https), urlsplit(host.http)
        assert (secure.port or 0) + 1 == plain.port
        assert secure.hostname == plain.hostname == host.address


async def test_stopping_in_the_middle_of_work_ends_it(http: aiohttp.ClientSession) -> None:
    lab = Datacentre(port=0, password=PASSWORD, speed=0.1)
    await lab.start()
    client = await Rpc(http, lab.hosts["xenserver1"].http).login()
    guest, host = await client.find("VM", "centos54"), await client.find("host", "xenserver3")
    await client.call("Async.VM.pool_migrate", guest, host, {})
    await lab.do({"do": "arm", "fault": {"method": "pool.get_all", "action": "hold"}})
    await lab.stop()
    with pytest.raises(aiohttp.ClientError):
        await client.call("VM.get_all")
