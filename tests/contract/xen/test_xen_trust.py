import asyncio
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from structlog.testing import capture_logs
from xen_lab import (
    EXPERIMENT,
    PASSWORD,
    Eavesdropper,
    following,
    host_settings,
    loaded,
    open_sessions,
    pool_settings,
    until,
)

from bot.errors import ConfigError, Unreachable
from bot.lab.xapi import Datacentre
from bot.xen import HostSettings, Pools, PoolSettings, source

ADDRESS = "127.0.1.9"


async def test_a_wrong_certificate_is_refused_before_anything_is_said() -> None:
    thief = Eavesdropper()
    async with thief.listening(ADDRESS) as port:
        settings = PoolSettings("experiment", (HostSettings(ADDRESS, port, "sha256:" + "ab" * 32),))
        async with following(settings) as pools:
            await until(pools, lambda: "not the pinned one" in pools.pools()[0].reason)
            found = await pools.check()
            await until(pools, lambda: pools.pools()[0].reason)
    assert thief.connections >= 1
    assert thief.heard == b""
    assert thief.fingerprint in found[0].text, "whoever sets it up must see what was shown"


async def test_the_feed_pins_its_own_connections_too(lab: Datacentre) -> None:
    """The session is opened at one host, and then somebody else stands at its address."""
    settings = pool_settings(lab, *EXPERIMENT, name="experiment")
    thief = Eavesdropper()
    async with following(settings) as pools:
        await loaded(pools)
        await lab.do({"do": "kill_host", "host": "xenserver1"})
        port = urlsplit(lab.hosts["xenserver1"].https).port or 0
        async with thief.listening(lab.hosts["xenserver1"].address, port):
            await until(pools, lambda: "not the pinned one" in pools.pools()[0].reason)
    assert thief.heard == b""


async def test_the_password_goes_to_no_host_that_is_not_listed(lab: Datacentre) -> None:
    """The member names its coordinator, at whose address an eavesdropper sits."""
    thief = Eavesdropper()
    await lab.do({"do": "kill_host", "host": "xenserver1"})
    address, port = lab.hosts["xenserver1"].address, urlsplit(lab.hosts["xenserver1"].https).port or 0
    async with (
        thief.listening(address, port),
        following(pool_settings(lab, "xenserver3", name="experiment", insecure=True)) as pools,
    ):
        await until(pools, lambda: "not listed" in pools.pools()[0].reason)
        assert address in pools.pools()[0].reason
    assert thief.connections == 0


async def test_a_host_without_pin_is_reached_only_when_that_is_asked_for_and_loudly(lab: Datacentre) -> None:
    open_host = msgspec.structs.replace(host_settings(lab, "xenserver1"), fingerprint="")
    settings = PoolSettings("experiment", (open_host,))
    with pytest.raises(ConfigError, match="fingerprint"):
        Pools([settings], passwords={"experiment": PASSWORD})
    with capture_logs() as logs:
        async with following(msgspec.structs.replace(settings, insecure=True)) as pools:
            await loaded(pools)
    assert [log["log_level"] for log in logs if log["event"] == "tls_verification_off"] == ["error"]


async def test_a_certificate_authority_does_instead_of_pins(lab: Datacentre, tmp_path: Path) -> None:
    bare = tuple(msgspec.structs.replace(host_settings(lab, name), fingerprint="") for name in EXPERIMENT)
    trusted, other = tmp_path / "xenserver1.pem", tmp_path / "xenserver3.pem"
    for host, path in zip(bare, (trusted, other), strict=True):
        path.write_text(await asyncio.to_thread(ssl.get_server_certificate, (host.address, host.port)))
    async with following(PoolSettings("experiment", bare[:1], ca_file=str(trusted))) as pools:
        await loaded(pools)
    async with following(PoolSettings("experiment", bare[:1], ca_file=str(other))) as pools:
        await until(pools, lambda: "cannot be trusted" in pools.pools()[0].reason)
    assert open_sessions(lab) == 0


async def test_plain_http_is_spoken_where_it_is_asked_for(lab: Datacentre) -> None:
    where = urlsplit(lab.hosts["xenserver1"].http)
    host = HostSettings(where.hostname or "", where.port or 80, scheme="http")
    async with following(PoolSettings("experiment", (host,), insecure=True)) as pools:
        await loaded(pools)
        assert pools.vm("centos54")


async def test_a_wrong_password_is_told_and_tried_at_one_host_only(lab: Datacentre) -> None:
    async with following(pool_settings(lab, *EXPERIMENT, name="experiment"), password="wrong") as pools:
        await until(pools, lambda: "refused the login of root" in pools.pools()[0].reason)
        with pytest.raises(Unreachable):
            await pools.open_task("unknown pool", "label", "")
        levels = {finding.text.split(":")[0]: finding.level for finding in await pools.check()}
    assert levels[lab.hosts["xenserver1"].address] == "error"


async def test_check_finds_everything_at_once(lab: Datacentre) -> None:
    wrong = msgspec.structs.replace(host_settings(lab, "xenserver4"), fingerprint="ab" * 32)
    settings = [
        pool_settings(lab, "xenserver1", name="experiment"),
        pool_settings(lab, "xenserver2"),
        PoolSettings("xenserver4", (wrong,)),
    ]
    pools = Pools(settings, passwords={each.name: PASSWORD for each in settings})
    found = await pools.check()
    await pools.stop()
    by_pool = {
        name: [each for each in found if each.pool == name] for name in ("experiment", "xenserver2", "xenserver4")
    }
    assert [each.level for each in by_pool["experiment"]] == ["ok", "warning"]
    assert "xenserver3" in by_pool["experiment"][1].text
    assert [each.level for each in by_pool["xenserver2"]] == ["ok"]
    assert {each.level for each in by_pool["xenserver4"]} == {"error"}
    assert open_sessions(lab) == 0


async def test_check_tells_a_user_who_may_only_look(lab: Datacentre) -> None:
    settings = msgspec.structs.replace(pool_settings(lab, *EXPERIMENT, name="experiment"), user="read-only")
    pools = Pools([settings], passwords={"experiment": PASSWORD})
    found = await pools.check()
    await pools.stop()
    assert any(each.level == "error" and "vm-power-admin" in each.text for each in found)


async def test_stopping_logs_out_every_session_at_once(lab: Datacentre, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever waited for the answer to what the feed has asked last would wait for so long.
    monkeypatch.setattr(source, "POLL_S", 3600.0)
    async with following(pool_settings(lab, *EXPERIMENT, name="experiment")) as pools:
        await loaded(pools)
        pool = pools.pools()[0].pool
        assert pool is not None
        await asyncio.gather(*(pools.whereabouts(pool.uuid, pools.vm("centos54").uuid) for _ in range(8)))
        assert 2 <= open_sessions(lab) <= 5
        async with asyncio.timeout(60):
            await pools.stop()
        assert open_sessions(lab) == 0


async def test_no_password_and_no_reference_shows_in_logs_or_texts(lab: Datacentre) -> None:
    with capture_logs() as logs:
        async with following(pool_settings(lab, *EXPERIMENT, name="experiment")) as pools:
            await loaded(pools)
            await lab.do({"do": "move_coordinator", "host": "xenserver3"})
            await until(pools, lambda: pools.host("xenserver3").coordinator)
            shown = [repr(pools), repr(pools.pools()), repr(vars(pools)["_pools"]), repr(logs)]
    for text in shown:
        assert PASSWORD not in text
        assert "OpaqueRef:" not in text
