"""A host that somebody wants in a pool and that xenbot cannot ask: what the configuration lacks, line by line."""

from __future__ import annotations

import ipaddress
import json

from bot.domain.secret_names import password_variable
from bot.domain.texts import Code, Phrase, Quote, clean, say
from bot.errors import NotFound
from bot.operations.lookalike import folded
from bot.operations.ports import Fleet

_FINGERPRINT = "openssl x509 -noout -fingerprint -sha256 -in /etc/xensource/xapi-ssl.pem"
_CHECK = "xenbot check --config FILE"


def lacking(none: NotFound, fleet: Fleet) -> tuple[Phrase, ...]:
    """What is told beside a host that was not found; nothing where something else was looked for.

    A password is never asked for here: it is in the environment or in a file, where nobody reads it by the way.
    """
    if none.kind != "host":
        return ()
    name = clean(none.name)
    wanted = folded(name)
    for view in fleet.pools():
        addressed = view.pool is None and folded(view.name) == wanted
        if addressed:
            return (
                say(
                    "{name} is in the configuration, but nobody has got in yet: {why}.",
                    name=name,
                    why=Quote(view.reason),
                ),
                say(
                    "Its password comes from {variable} or its `password_file`, never from here; {check} says what is "
                    "wrong.",
                    variable=Code(password_variable(view.name)),
                    check=Code(_CHECK),
                ),
            )
    return (
        say("Write these lines into the configuration, as for any pool: a host joins only once xenbot may ask it."),
        *(say("{line}", line=Code(line)) for line in _entry(name)),
        say("On the host, {command} prints the fingerprint.", command=Code(_FINGERPRINT)),
        say(
            "Its password goes into {variable} or a `password_file`, never into Slack. Then start xenbot again; "
            "{check} says what is wrong.",
            variable=Code(password_variable(name)),
            check=Code(_CHECK),
        ),
    )


def _entry(name: str) -> tuple[str, ...]:
    try:
        address = str(ipaddress.ip_address(name))
    except ValueError:
        address = f"the address of {name}"
    # A string of JSON is one of TOML as well.
    quoted, where = (json.dumps(text, ensure_ascii=False) for text in (name, address))
    return (
        "[[pools]]",
        f"name = {quoted}",
        f'hosts = [{{address = {where}, fingerprint = "sha256:…"}}]',
    )
