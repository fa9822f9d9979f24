"""Which network card of a guest is to go to which network, as people write it: "lan=prod, 1=dmz", or one for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.domain.backup import ArchivedNic
from bot.domain.inventory import Network
from bot.operations.lookalike import folded, spellings

_AROUND = " \t\"'“”„‘’`"


def mapping(
    text: str, nics: Sequence[ArchivedNic], networks: Sequence[Network]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Networks (UUIDs) by the place of the card, and the words that mean no card or no single network.

    A card goes by its number, its MAC address or the name of its old network; a network alone is for every card.
    """
    found: dict[str, str] = {}
    strange = []
    for part in filter(None, (part.strip(_AROUND) for part in _parts(text, networks))):
        everywhere = _network(part, networks)
        pairs = [(nic.device, everywhere) for nic in nics] if everywhere else list(_pairs(part, nics, networks))
        if pairs:
            found |= dict(pairs)
        else:
            strange.append(part)
    return found, tuple(strange)


def _parts(text: str, networks: Sequence[Network]) -> list[str]:
    # A network may have a comma in its name.
    return [text] if _network(text.strip(_AROUND), networks) else text.replace("，", ",").replace("、", ",").split(",")


def _pairs(part: str, nics: Sequence[ArchivedNic], networks: Sequence[Network]) -> Iterable[tuple[str, str]]:
    for place, sign in enumerate(part):
        if sign not in "=＝":
            continue
        old, new = part[:place].strip(_AROUND), _network(part[place + 1 :].strip(_AROUND), networks)
        cards = [nic.device for nic in nics if folded(old) in {folded(one) for one in _names(nic)}]
        if new and cards:
            return [(card, new) for card in cards]
    return []


def _names(nic: ArchivedNic) -> tuple[str, ...]:
    return tuple(filter(None, (nic.device, nic.mac, nic.network_name, nic.network)))


def _network(text: str, networks: Sequence[Network]) -> str:
    """The one network of that name or UUID; "" for none or several."""
    for spelling in spellings(text):
        exact = {one.uuid for one in networks if spelling in {one.uuid, one.name}}
        found = exact or {one.uuid for one in networks if folded(one.name) == folded(spelling)}
        if len(found) == 1:
            return found.pop()
    return ""
