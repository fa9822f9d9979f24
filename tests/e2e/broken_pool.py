"""A pool whose fields are broken one by one and mended again, and the check of it through Slack's door."""

from __future__ import annotations

import xmlrpc.client
from datetime import UTC, datetime, timedelta
from typing import Any

from story_lab import StoryLab, strings

Sets = tuple[str, str, str, Any]
GIB = 1 << 30


def xapi_date(days: float) -> str:
    """A moment so many days from now, as XAPI writes it."""
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

    def pool(self) -> str:
        return str(self.xapi.pool.get_all()[0])

    def of_host(self, kind: str, host: str) -> list[str]:
        there = getattr(self.xapi, kind).get_all_records()
        home = self.named("host", host)
        return [ref for ref, record in there.items() if record.get("host") == home]

    def plug(self, sr: str, host: str) -> str:
        wanted = self.named("SR", sr)
        return next(ref for ref in self.of_host("PBD", host) if self.xapi.PBD.get_SR(ref) == wanted)

    def control_domain(self, host: str) -> str:
        return str(self.xapi.host.get_control_domain(self.named("host", host)))

    def disk(self, name: str) -> str:
        """A disk of 8 GiB on the shared storage that no guest has."""
        empty: dict[str, str] = {}
        return str(
            self.xapi.VDI.create(
                {"name_label": name, "name_description": "", "SR": self.named("SR", "nfs-vhd")}
                | {"virtual_size": str(8 * GIB), "type": "user", "sharable": False, "read_only": False}
                | {"other_config": empty, "xenstore_data": empty, "sm_config": empty, "tags": []}
            )
        )

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


async def answer(lab: StoryLab, command: str, word: str) -> dict[str, Any]:
    """What a viewer is told in private to a command that is typed now, with that word in it."""
    known = {message["ts"] for message in await lab.screen("viewer")}
    await lab.xen(command, who="viewer")

    async def answered() -> dict[str, Any] | None:
        news = [one for one in await lab.screen("viewer") if one["ts"] not in known]
        return next((one for one in news if word in strings(one)), None)

    return await lab.until(answered, f"the answer to {command}")


def fine(message: dict[str, Any]) -> set[str]:
    """The rows of a whole check that nothing is wrong with, by title."""
    (table,) = [block for block in message["blocks"] if block["type"] == "table"]
    return {row[0]["text"] for row in table["rows"][1:]}


async def check(lab: StoryLab, *words: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The answer to a new check that holds these words and not those; facts take a moment from the pool to the bot."""
    missed: list[str] = []

    async def look() -> dict[str, Any] | None:
        message = await answer(lab, "pool-check experiment all", "fine")
        text = strings(message)
        missed[:] = [word for word in words if word not in text] + [f"not {word}" for word in without if word in text]
        return None if missed else message

    try:
        return await lab.until(look, f"a check with {words} and without {without}")
    except AssertionError as never:
        raise AssertionError(f"{missed} of: {never}") from None
