"""What keyboards, phones and Slack do to typed words, row by row, against guests that are called in odd ways."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ports import FakeFleet, Room
from small_fleet import VIEW, guest

from bot.commands import Registry, resolve, split
from bot.commands.words import first_word, line_of, words_of
from bot.domain.inventory import Host, Vm
from bot.errors import Ambiguous, NotFound
from bot.operations.lookalike import spellings
from bot.xen.names import Named, Names

GUESTS = {
    "plain": "web-1",
    "double": "a--b",
    "em": "big — blue",
    "curly": "say “hi”",
    "straight": 'say "ho"',
    "apostrophe": "bob's vm",
    "curly-apostrophe": "ann’s vm",
    "dots": "wait...",
    "dns": "web1.example.com",
    "mail": "root@example.com",
    "amp": "R&D <prod>",
    "entity": "R&amp;D",
    "japanese": "日本語サーバー",
    "wide": "ｗｅｂ２",
    "nfd": "cafe\u0301",
    "emoji": "👩‍💻 box",
    "to": "way to go",
    "quotes": '"quoted"',
    "tick": "a`b",
    "link": "<http://x|y>",
    "case": "WEB-UP",
}
REGISTRY = Registry.discover()
FLEET_VMS = tuple(guest(uuid, name) for uuid, name in GUESTS.items())


class RealNames(FakeFleet):
    """The fleet of the tests with the look-up of the real one."""

    def vm(self, text: str) -> Vm:
        named = [Named(vm.uuid, (vm.name,), "", vm) for view in self.views for vm in view.vms]
        return Names("guest", named).find(text)

    def host(self, text: str) -> Host:
        named = [Named(one.uuid, (one.name,), "", one) for view in self.views for one in view.hosts]
        return Names("host", named).find(text)


def fleet(*vms: Vm) -> RealNames:
    return RealNames(msgspec.structs.replace(VIEW, vms=vms or FLEET_VMS))


def read(words: str, among: FakeFleet | None = None) -> Any:
    """The arguments that come of the words."""
    word, tail = first_word(words)
    command = REGISTRY.find(word)
    return resolve(command, split(command, tail), among or fleet())


@pytest.mark.parametrize(
    ("written", "uuid"),
    [
        # As they are called, wherever the keyboard left them alone.
        *[(f'"{name}"' if '"' not in name else name, uuid) for uuid, name in GUESTS.items() if uuid != "quotes"],
        ('""quoted""', "quotes"),
        # Dashes that were improved on the way.
        ("web–1", "plain"),
        ("web−1", "plain"),
        ("web‑1", "plain"),
        ("web－1", "plain"),
        ("webー1", "plain"),
        ("a—b", "double"),
        ("ｗｅｂ－１", "plain"),
        ("“big — blue”", "em"),
        # Quotation marks and apostrophes.
        ("“web-1”", "plain"),
        ("„web-1‟", "plain"),
        ("«web-1»", "plain"),
        ("＂web-1＂", "plain"),
        ("‘web-1’", "plain"),
        ("'web-1'", "plain"),
        ("say “hi”", "curly"),
        ("say “ho”", "straight"),
        ("bob’s vm", "apostrophe"),
        ("“bob’s vm”", "apostrophe"),
        ("ann’s vm", "curly-apostrophe"),
        ("wait…", "dots"),
        ("`web-1`", "plain"),
        ("`bob's vm`", "apostrophe"),
        ("a`b", "tick"),
        # Spaces of every kind.
        ("bob's\u00a0vm", "apostrophe"),
        ("bob's\u3000vm", "apostrophe"),
        ("bob's\u2009vm", "apostrophe"),
        ("bob's\tvm", "apostrophe"),
        ("\ufeffweb-1\u200b", "plain"),
        # What Slack makes of addresses and signs.
        ("<http://web1.example.com|web1.example.com>", "dns"),
        ("<https://web1.example.com>", "dns"),
        ("<mailto:root@example.com|root@example.com>", "mail"),
        ("R&amp;D &lt;prod&gt;", "amp"),
        ("R&D <prod>", "amp"),
        ("R&amp;D", "entity"),
        ("<http://x|y>", "link"),
        # Japanese input, composed and decomposed letters, case.
        ("日本語サーバー", "japanese"),
        ("日本語ｻｰﾊﾞｰ", "japanese"),
        ("web2", "wide"),
        ("ＷＥＢ２", "wide"),
        ("café", "nfd"),
        ("Web-up", "case"),
        ("👩‍💻 box", "emoji"),
        ("“way to go”", "to"),
    ],
)
def test_a_name_is_found_however_it_was_typed(written: str, uuid: str) -> None:
    found = read(f"migrate {written} to xenserver3")
    assert (found.vm.uuid, found.host.uuid) == (uuid, "h-3")
    assert read(f"start {written}").vm.uuid == uuid


@pytest.mark.parametrize(
    "words",
    [
        "Migrate web-1 to xenserver3",
        "ＭＩＧＲＡＴＥ web-1 ＴＯ xenserver3",
        "migrate　web-1　to　xenserver3",
        "migrate web-1 --to xenserver3 ",
        "migrate web-1 --to=xenserver3",
        'migrate web-1 --to="xenserver3"',
        "migrate web-1 —to xenserver3",
        "migrate web-1 –-to xenserver3",
        "migrate web-1 −−to=xenserver3",
        "migrate web-1 ーーto xenserver3",
        "migrate web-1 －－ｔｏ＝ｘｅｎｓｅｒｖｅｒ３",
        "migrate web-1 to “xenserver3”",
        "migrate web-1 to <http://xenserver3|xenserver3>",
        "migrate web-1 to xenserver3 reason — at last",
    ],
)
def test_options_are_read_in_every_script(words: str) -> None:
    found = read(words)
    assert (found.vm.uuid, found.host.uuid) == ("plain", "h-3")


def test_a_reason_is_kept_as_it_was_typed() -> None:
    assert read("migrate web-1 to xenserver3 reason “go” — it’s time …").reason == "“go” — it’s time …"


def test_a_quotation_mark_without_its_partner_is_told() -> None:
    with pytest.raises(NotFound) as refusal:
        read('start "no such guest')
    assert "no partner" in refusal.value.fix
    assert read('start "web-1').vm.uuid == "plain"


def test_a_name_in_full_wins_over_one_that_was_mended() -> None:
    among = fleet(guest("u-en", "a–b"), guest("u-plain", "a-b"), guest("u-amp", "x&amp;y"), guest("u-and", "x&y"))
    typed = {"a–b": "u-en", "a-b": "u-plain", "a−b": "u-plain", "x&amp;y": "u-amp", "x&y": "u-and"}
    assert {written: read(f"start {written}", among).vm.uuid for written in typed} == typed


def test_two_names_that_read_alike_are_asked_back() -> None:
    with pytest.raises(Ambiguous) as several:
        read("start web", fleet(guest("u1", "ｗｅｂ"), guest("u2", "WEB")))
    assert {one.uuid for one in several.value.candidates} == {"u1", "u2"}


async def test_looking_reads_names_like_changing_does() -> None:
    room = Room()
    room.fleet = fleet()
    for written in ("“web–1”", "<http://web1.example.com|web1.example.com>", "bob’s vm", "日本語サーバー"):
        assert "is running on xenserver1" in await room.read(f"status {written}")


def test_words_keep_their_place_in_the_line() -> None:
    line = line_of(" a\u3000 “b c”  ‘d’ \u200b--e=f ")
    assert line == "a “b c” ‘d’ --e=f"
    words = words_of(line)
    assert [word.raw for word in words] == ["a", "b c", "d", "--e=f"]
    assert [line[word.start : word.end] for word in words] == ["a", "“b c”", "‘d’", "--e=f"]
    assert [word.option for word in words] == [False, False, False, True]


def test_spellings_begin_with_what_was_typed_and_never_end_empty() -> None:
    for text in ("web", "“”", "`", '"', "—", "<http://a|b>", "&amp;", "ー"):
        assert text != ""
        assert spellings(text)[0] == text
        assert all(one.strip() for one in spellings(text))
