"""The audit trail by filters, page by page, and as a file that a spreadsheet cannot be tricked with."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime

import msgspec
import pytest
from ports import Room
from small_fleet import NOW

from bot.domain.audit import GENESIS, Entry, Wanted
from bot.domain.message import Button, Choices, File, Message
from bot.domain.sheet import csv_text
from bot.domain.texts import plain
from bot.domain.when import moment
from bot.errors import NotUnderstood

AT = "2026-11-23T10:00:00.000000+00:00"
ENTRY = Entry(1, AT, "T1", "U1", "job:confirm", 7, "vm-1", "web", "d", "", "{}", GENESIS, "h")
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC).timestamp()


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("audit", Wanted()),
        ("audit job 7", Wanted(job=7)),
        ("audit by me", Wanted(actor="U1")),
        ("audit by <@U0AB12|ann>", Wanted(actor="U0AB12")),
        ("audit by @ann smith", Wanted(actor="U2")),
        ("audit by 山田 job 7", Wanted(actor="U3", job=7)),
        ("audit by U0AB12", Wanted(actor="U0AB12")),
        ("audit by XENBOT", Wanted(actor="xenbot")),
        ("audit of centos54", Wanted(target="vm-1")),
        ("audit of “long gone”", Wanted(target_name="long gone")),
        ("audit of twin", Wanted(target_name="twin")),
        ("audit action job:approve", Wanted(tags=("job:approve",))),
        ("audit action refuse", Wanted(tags=("job:refuse", "click:refuse", "command:refuse"))),
        ("audit action ｆｒｅｅｚｅ", Wanted(tags=("freeze:on", "freeze:off"))),
        ("audit since 2h", Wanted(since=iso(NOW - 7200))),
        ("audit list by me job 7 action start", Wanted(job=7, actor="U1", tags=("job:start", "bot:start"))),
    ],
)
async def test_every_filter_reaches_the_trail(words: str, wanted: Wanted) -> None:
    room = Room()
    await room.type(words)
    assert room.journal.wanted == wanted


@pytest.mark.parametrize(
    "words",
    ["audit by @nobody", "audit action dance", "audit since tomorrow", "audit everything"],
)
async def test_what_fits_no_filter_is_told_with_what_would(words: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        await Room().type(words)
    assert refusal.value.fix


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("2026-11-25", False, "2026-11-25T00:00"),
        ("2026-11-25", True, "2026-11-26T00:00"),
        ("2026–11–25", False, "2026-11-25T00:00"),
        ("２０２６－１１－２５", False, "2026-11-25T00:00"),
        ("2026-11-25 14:30", True, "2026-11-25T14:30"),
        ("2026-11-25T14:30", False, "2026-11-25T14:30"),
        ("11:00", False, "2026-11-25T11:00"),
        ("23:00", False, "2026-11-24T23:00"),
        ("Today", False, "2026-11-25T00:00"),
        ("yesterday", True, "2026-11-25T00:00"),
        ("90m", False, "2026-11-25T10:30"),
        ("2 h", False, "2026-11-25T10:00"),
        ("3d ago", False, "2026-11-22T12:00"),
        ("1w", False, "2026-11-18T12:00"),
    ],
)
def test_times_are_read_as_people_type_them(text: str, end: bool, expected: str) -> None:  # noqa: FBT001  a parameter
    at = moment(text, NOON, end=end)
    assert at is not None
    assert datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M") == expected


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "25:00", "2x", "99999999d", "-1h"])
def test_what_is_no_time_is_not_guessed(text: str) -> None:
    assert moment(text, NOON) is None


async def read(room: Room, words: str) -> tuple[Message, list[Button]]:
    answer = await room.type(words)
    assert isinstance(answer, Message)
    return answer, [button for part in answer.parts if isinstance(part, Choices) for button in part.buttons]


async def test_older_entries_and_the_file_are_asked_for_with_the_same_filters() -> None:
    room = Room()
    room.person = msgspec.structs.replace(room.person, id="U0AB12")
    room.journal.entries = [msgspec.structs.replace(ENTRY, seq=number) for number in range(60, 0, -1)]
    answer, buttons = await read(room, 'audit by me of "centos54" job 7 since 3d')
    assert plain(answer.summary).endswith("25 entries and older ones")
    again = 'by U0AB12 of "vm-1" job 7 since "3d"'
    assert [button.target for button in buttons] == [f"audit {again} page 2", f"audit csv {again}"]
    _, buttons = await read(room, buttons[0].target)
    answer, buttons = await read(room, buttons[0].target)
    assert plain(answer.summary).endswith("10 entries, page 3")
    assert [button.label for button in buttons] == ["As CSV"]


async def test_the_file_holds_every_entry_oldest_first_and_no_formula() -> None:
    room = Room()
    evil = [
        "=cmd|' /C calc'!A0",
        "+1",
        "-1",
        "@sum",
        "＝1",
        "two\nlines",
        'quo"te, comma',
        "日本語サーバー",
        "\u202eright",
    ]
    room.journal.entries = [
        msgspec.structs.replace(ENTRY, seq=len(evil) - place, target_name=name) for place, name in enumerate(evil)
    ]
    answer, _ = await read(room, "audit csv")
    file = next(part for part in answer.parts if isinstance(part, File))
    assert file.name.startswith("xenbot-audit-")
    rows = list(csv.DictReader(io.StringIO(file.text)))
    assert [int(row["seq"]) for row in rows] == list(range(1, len(evil) + 1))
    names = [row["target_name"] for row in reversed(rows)]
    assert names[:5] == [f"'{name}" for name in evil[:5]]
    assert names[5:] == ["two lines", 'quo"te, comma', "日本語サーバー", "right"]


def test_numbers_stay_numbers_in_a_sheet() -> None:
    assert csv_text(("a", "b"), [(1, "-1"), (2.5, "x")]) == "a,b\n1,'-1\n2.5,x\n"


async def test_others_are_served_while_a_long_trail_becomes_a_file() -> None:
    room, served = Room(), []
    room.journal.entries = [msgspec.structs.replace(ENTRY, seq=number) for number in range(2000)]

    async def others() -> None:
        while True:
            served.append(await asyncio.sleep(0))

    working = asyncio.create_task(others())
    await room.type("audit csv")
    working.cancel()
    assert served
