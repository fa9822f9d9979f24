"""The recorded exchanges of a real server, sent again to the lab: the answers must have the recorded shape."""

import json
import xmlrpc.client
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from datacentre_client import PASSWORD, Connect, Until
from published_model import RECORDED
from recorded_cases import CASES, SKIPPED, STREAMS, Case
from recorded_exchange import (
    Exchange,
    adapt_call,
    compare_errors,
    compare_json,
    compare_records,
    compare_xml,
    mask,
    read_exchange,
)
from recorded_stages import STAGES, set_up

from bot.lab.xapi import Datacentre
from bot.lab.xapi.schema.signatures import SIGNATURES

# Headers that tell of the connection and of the length of the body.
_OF_THE_MOMENT = {"content-length", "connection"}


def list_recorded() -> list[str]:
    """Returns the names of the recorded files; none where they are not."""
    index = RECORDED / "INDEX.tsv"
    if not index.is_file():
        return []
    return [line.partition("\t")[0] for line in index.read_text(encoding="utf-8").splitlines()[1:]]


def test_every_recorded_file_is_sent_again_or_skipped_for_a_reason(
    record_property: Callable[[str, object], None],
) -> None:
    names = {name[:5] for name in list_recorded()}
    if not names:
        pytest.skip("the recorded exchanges are not here")
    sent = sum(name[:5] in CASES or name[:5] in STREAMS for name in list_recorded())
    record_property(
        "summary", f"Exchanges of a real server: {sent} of {len(list_recorded())} recorded files sent again"
    )
    assert names - CASES.keys() - SKIPPED.keys() == set()
    assert (CASES.keys() | SKIPPED.keys()) - names == set()
    assert CASES.keys() & SKIPPED.keys() == set()
    assert {case.stage for case in CASES.values()} - {""} <= STAGES.keys()


@pytest.mark.parametrize("name", [name for name in list_recorded() if name[:5] in CASES])
async def test_the_answer_has_the_recorded_shape(
    datacentre: Datacentre, http: aiohttp.ClientSession, connect: Connect, until: Until, name: str
) -> None:
    exchange, case = read_exchange(RECORDED / name), CASES[name[:5]]
    verb, path, _ = exchange.line.split()
    stage = await set_up(datacentre, connect, until)
    body = exchange.body.encode()
    is_call = exchange.status == 200 and verb == "POST"
    if is_call:
        if case.stage:
            await STAGES[case.stage](stage)
        if case.account != "root":
            stage.objects["session"] = (await connect("xenserver1").login(case.account)).session
        method, params = adapt_call(exchange, stage.objects, PASSWORD)
        for number, value in case.put.items():
            params[number] = stage.values.get(value, value) if isinstance(value, str) else value
        body = _write_call(exchange, method, params)
    url = f"{datacentre.hosts[case.host].http}{path}"
    async with http.request(verb, url, data=body or None) as got:
        text = await got.text()
        assert got.status == exchange.status
        ours = {header.lower(): value for header, value in got.headers.items()}
    for header, value in exchange.headers.items():
        if header not in _OF_THE_MOMENT:
            assert ours.get(header) == value, header
    if is_call:
        _compare_answers(exchange, text, method, case)
    elif not case.texts_differ:
        assert text.rstrip("\n") == exchange.answer


def _write_call(exchange: Exchange, method: str, params: list[Any]) -> bytes:
    if exchange.is_json:
        return json.dumps({**json.loads(exchange.body), "params": params}).encode()
    return xmlrpc.client.dumps(tuple(params), method).encode()


def _compare_answers(exchange: Exchange, text: str, method: str, case: Case) -> None:
    if exchange.is_json:
        _compare_json_answers(json.loads(exchange.answer), json.loads(text), case)
        return
    compare_xml(exchange.answer, text)
    theirs, ours = (xmlrpc.client.loads(answer)[0][0] for answer in (exchange.answer, text))
    assert ours["Status"] == theirs["Status"], ours
    if theirs["Status"] == "Failure":
        differ = case.texts_differ or theirs["ErrorDescription"][0] == "HOST_IS_SLAVE"
        compare_errors(theirs["ErrorDescription"], ours["ErrorDescription"], texts_differ=differ)
        return
    signature = SIGNATURES[method.removeprefix("Async.")]
    if signature.verb == "get_record":
        compare_records(signature.class_name, theirs["Value"], ours["Value"])
        for field in case.same:
            assert _comparable(field, ours["Value"][field]) == _comparable(field, theirs["Value"][field]), field


def _comparable(field: str, value: Any) -> Any:
    # Operations are a set: their order means nothing; and references are each server's own.
    return sorted(value) if field == "allowed_operations" else mask(value)


def _compare_json_answers(theirs: dict[str, Any], ours: dict[str, Any], case: Case) -> None:
    compare_json(theirs, ours)
    assert ours.keys() == theirs.keys()
    if "error" in theirs:
        one, other = ([error["message"], *error["data"]] for error in (theirs["error"], ours["error"]))
        compare_errors(one, other, texts_differ=case.texts_differ or one[0] == "HOST_IS_SLAVE")
