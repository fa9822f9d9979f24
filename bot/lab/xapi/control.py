"""What all requests to the lab's hosts have in common, and how their fields are chosen."""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from bot.lab.xapi.rules.guest_operations import STATES

HostName = Annotated[str, Meta(title="Host", extra_json_schema={"x-from": "hosts"})]
# A UUID, or a name that only one object has.
GuestName = Annotated[str, Meta(title="Guest", extra_json_schema={"x-from": "guests"})]
StorageName = Annotated[str, Meta(title="Storage", extra_json_schema={"x-from": "srs"})]
NfsServerName = Annotated[str, Meta(title="NFS server", extra_json_schema={"x-from": "nfs_servers"})]
GuestOperation = Annotated[str, Meta(title="Operation", extra_json_schema={"enum": sorted(STATES)})]


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """One request; its tag is the value of `do`."""

    label: ClassVar[str]
