import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Ambiguous, NotFound
from bot.xen.names import Named, Names

ARTICLE = ["centos54", "日本語サーバー", "<!channel> & *bold*", "web-local", "winxp", "db1", "twin", "twin", "Café"]


def named(names: list[str]) -> Names[int]:
    return Names(
        "guest",
        [
            Named(f"{number:08x}-0000-4000-8000-{number:012x}", (name,), f"on host{number}", number)
            for number, name in enumerate(names)
        ],
    )


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("centos54", 0),
        (" centos54 ", 0),
        ("CentOS54", 0),
        ("ｃｅｎｔｏｓ５４", 0),
        ("cent", 0),
        ("日本語サーバー", 1),
        ("日本語", 1),
        ("日本語ｻｰﾊﾞｰ", 1),
        ("<!channel> & *bold*", 2),
        ("&lt;!channel&gt; &amp; *bold*", 2),
        ("00000003-0000-4000-8000-000000000003", 3),
        ("00000003-0000-4000-8000-000000000003".upper(), 3),
        ("00000004-", 4),
        (unicodedata.normalize("NFD", "Café"), 8),
    ],
)
def test_an_object_is_found_by_name_uuid_or_beginning(typed: str, found: int) -> None:
    assert named(ARTICLE).find(typed) == found


def test_two_of_one_name_are_ambiguous_and_told_apart_by_where_they_are() -> None:
    with pytest.raises(Ambiguous) as caught:
        named(ARTICLE).find("twin")
    assert [candidate.where for candidate in caught.value.candidates] == ["on host6", "on host7"]


def test_an_exact_name_wins_over_one_that_only_begins_or_folds_so() -> None:
    assert named(["web1", "web10", "WEB1"]).find("web1") == 0
    assert named(["web1", "web10", "WEB1"]).find("WEB1") == 2
    with pytest.raises(Ambiguous):
        named(["web1", "web10", "WEB1"]).find("Web1")


def test_a_beginning_of_two_letters_finds_nothing() -> None:
    with pytest.raises(NotFound):
        named(ARTICLE).find("db")


def test_a_wrong_name_gets_the_nearest_ones() -> None:
    with pytest.raises(NotFound) as caught:
        named(ARTICLE).find("centos5x")
    assert caught.value.nearest == ("centos54",)


def test_the_nearest_are_found_among_thousands() -> None:
    many = named([f"server-{number:05}" for number in range(5000)] + ["centos54"])
    assert many.nearest("centos45")[0] == "centos54"


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8), st.data())
def test_any_name_is_found_or_ambiguous_with_itself(names: list[str], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(names) - 1))
    typed = names[index]
    same = [number for number, name in enumerate(names) if name.strip() == typed.strip()]
    if not typed.strip() or typed != typed.strip():
        # A name that begins or ends with a space cannot be typed; its UUID can.
        return
    if names.count(typed) > 1:
        with pytest.raises(Ambiguous):
            named(names).find(typed)
    else:
        assert named(names).find(typed) in same
