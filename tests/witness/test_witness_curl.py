"""Guests by `curl` and `tar`, as administrators' scripts back them up and restore them."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
import XenAPI

from bot.lab.xapi import Datacentre

PASSWORD = "pw"
CURL, TAR = shutil.which("curl"), shutil.which("tar")


@pytest.fixture(autouse=True)
def has_programs() -> None:
    if CURL is None or TAR is None:
        pytest.skip("no curl and tar, so no script of an administrator was heard")


async def run(*command: str) -> str:
    """Returns what a program says; it must end well."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (command, err.decode())
    return out.decode()


async def ask(datacentre: Datacentre, work: Any) -> Any:
    """Runs a function with a session of the official client."""

    def go() -> Any:
        session = XenAPI.Session(datacentre.hosts["xenserver1"].https, ignore_ssl=True)
        try:
            session.xenapi.login_with_password("root", PASSWORD, "1.0", "curl")
            return work(session.xenapi, session._session)
        finally:
            session("close")()

    return await asyncio.to_thread(go)


@pytest.mark.parametrize("compression", ["", "zstd"])
async def test_a_guest_is_exported_listed_and_imported_by_a_script(
    datacentre: Datacentre, tmp_path: Path, compression: str
) -> None:
    def stop(api: Any, _: str) -> str:
        (vm,) = api.VM.get_by_name_label("web-local")
        api.VM.hard_shutdown(vm)
        return str(api.VM.get_uuid(vm))

    uuid, path = await ask(datacentre, stop), tmp_path / "guest.xva"
    host = datacentre.hosts["xenserver1"].https
    query = f"uuid={uuid}&use_compression={compression}"
    await run("curl", "-sSfk", "-u", f"root:{PASSWORD}", "-o", str(path), f"{host}/export?{query}")
    if not compression:
        listed = (await run("tar", "-tf", str(path))).splitlines()
        assert listed[0] == "ova.xml"
        assert [name for name in listed if name.endswith("/00000000.xxhash")]
    said = await run("curl", "-sSfk", "-u", f"root:{PASSWORD}", "-T", str(path), f"{host}/import")
    assert said == ""

    def look(api: Any, _: str) -> list[str]:
        return sorted(api.VM.get_power_state(vm) for vm in api.VM.get_by_name_label("web-local"))

    assert await ask(datacentre, look) == ["Halted", "Halted"]


async def test_a_script_follows_to_the_host_that_sees_the_disk(datacentre: Datacentre, tmp_path: Path) -> None:
    def stop(api: Any, session: str) -> tuple[str, str]:
        (vm,) = api.VM.get_by_name_label("web-local")
        api.VM.hard_shutdown(vm)
        return vm, session

    vm, session = await ask(datacentre, stop)
    path, host = tmp_path / "guest.xva", datacentre.hosts["xenserver3"].https
    await run("curl", "-sSfkL", "-o", str(path), f"{host}/export?ref={vm}&session_id={session}")
    assert path.read_bytes()[-1024:] == bytes(1024)
    await run("tar", "-tf", str(path))
