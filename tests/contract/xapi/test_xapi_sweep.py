"""Every message of the model over the wire, served or not: parameters, session, role and objects, in this order."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from datacentre_client import PASSWORD, Rpc, RpcError

from bot.lab.xapi import Datacentre
from bot.lab.xapi.schema.model import CLASSES, ENUMS, FieldType
from bot.lab.xapi.schema.signatures import SIGNATURES, Signature

_PLAIN: dict[str, Any] = {
    "string": "x",
    "int": 1,
    "float": 1.0,
    "bool": False,
    "datetime": "20260101T00:00:00Z",
    "ref": "OpaqueRef:x",
}
# Messages that do not look whether the object is there, as on a real server.
_BLIND = {"role.get_by_permission", "SR.create"}


@pytest.fixture
async def quiet(http: aiohttp.ClientSession) -> AsyncIterator[Rpc]:
    """A client of a lab that does not look at all its records after each of some thousand calls."""
    lab = Datacentre(port=0, speed=20.0, password=PASSWORD)
    lab.login_delay_s = 0.0
    await lab.start()
    try:
        yield await Rpc(http, lab.hosts["xenserver1"].http).login()
    finally:
        await lab.stop()


def make_value(kind: FieldType) -> Any:
    """Returns a value of a type, of nothing that is there."""
    if kind.kind == "enum":
        return ENUMS[kind.name][0]
    if kind.kind in {"set", "map"}:
        return [] if kind.kind == "set" else {}
    if kind.kind == "record":
        return {field.name: make_value(field.type) for field in CLASSES[kind.name].fields.values() if field.required}
    return _PLAIN[kind.kind]


def make_params(signature: Signature) -> list[Any]:
    """Returns parameters for a message: those it cannot do without."""
    return [make_value(kind) for kind in signature.params[: signature.required]]


async def hear(rpc: Rpc, method: str, params: list[Any]) -> list[str]:
    """Returns the error of a call that must fail."""
    try:
        result = await rpc.raw(method, *params)
    except RpcError as error:
        return list(error.args)
    pytest.fail(f"{method} returned {result!r}")


async def test_every_message_counts_its_parameters(quiet: Rpc) -> None:
    for signature in SIGNATURES.values():
        head = [quiet.session] if signature.needs_session else []
        for params in ([], [*head, *(["x"] * (len(signature.params) + 1))]):
            received = len(params) - len(head)
            if received == signature.required:
                continue
            expected = ["MESSAGE_PARAMETER_COUNT_MISMATCH", signature.name, str(signature.required), str(received)]
            assert await hear(quiet, signature.name, params) == expected


async def test_every_message_looks_at_the_types_before_the_session(quiet: Rpc) -> None:
    for signature in SIGNATURES.values():
        if not signature.required:
            continue
        params = [None, *make_params(signature)[1:]]
        error = await hear(quiet, signature.name, ["OpaqueRef:gone", *params] if signature.needs_session else params)
        # What is removed reads its session alone.
        code = "SESSION_INVALID" if signature.is_removed else "INTERNAL_ERROR"
        assert error[0] == code, signature.name


async def test_every_message_looks_for_the_session(quiet: Rpc) -> None:
    for signature in SIGNATURES.values():
        if signature.needs_session:
            params = ["OpaqueRef:gone", *make_params(signature)]
            assert await hear(quiet, signature.name, params) == ["SESSION_INVALID", "OpaqueRef:gone"], signature.name


async def test_every_message_looks_at_the_role_before_its_objects(quiet: Rpc) -> None:
    reader = await Rpc(quiet.http, quiet.url).login("read-only")
    for signature in SIGNATURES.values():
        if not signature.needs_session or signature.role == "read-only":
            continue
        code, *rest = await hear(reader, signature.name, [reader.session, *make_params(signature)])
        if signature.is_removed:
            assert code == "MESSAGE_REMOVED", signature.name
        else:
            assert [code, rest[0]] == ["RBAC_PERMISSION_DENIED", signature.name.lower()], signature.name


async def test_every_message_to_an_object_that_is_not_there_says_so(quiet: Rpc) -> None:
    for signature in SIGNATURES.values():
        target = signature.params[0] if signature.params else None
        if target is None or target.kind != "ref" or not signature.needs_session or signature.name in _BLIND:
            continue
        error = await hear(quiet, signature.name, [quiet.session, *make_params(signature)])
        expected = ["MESSAGE_REMOVED"] if signature.is_removed else ["HANDLE_INVALID", target.name, "OpaqueRef:x"]
        assert error == expected, signature.name


async def test_every_async_form_is_there_or_refused(quiet: Rpc) -> None:
    for signature in SIGNATURES.values():
        if signature.has_async or signature.is_removed or not signature.needs_session:
            continue
        params = [quiet.session, *make_params(signature)]
        expected = ["Fault", f"No async mode for this operation (rpc: {signature.name})"]
        assert await hear(quiet, f"Async.{signature.name}", params) == expected
