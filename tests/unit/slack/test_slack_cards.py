import re

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.message import (
    Button,
    Checks,
    Choices,
    Facts,
    Mark,
    Message,
    Option,
    Part,
    Progress,
    Select,
    Small,
    Table,
    Verdict,
    Ways,
)
from bot.domain.plan import Check, Grade
from bot.domain.texts import Code, Group, Link, Moment, Phrase, Size, Who, clean, many, say
from bot.errors import NotAllowed
from bot.lab.slack.blocks import complete_message_blocks
from bot.slack.cards import Rendered, render, render_bare, render_error, render_refusal

HOSTILE = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        [
            "<!channel>",
            "<@U12345>",
            "<https://evil.example|https://good.example>",
            "*bold* _x_ ~gone~ `code`",
            ":white_check_mark: Approved",
            "a\n> quoted",
            "\u202egnp.exe",
            "&amp;lt;",
            "x" * 5000,
            "{vm}",
        ]
    ),
)
VALUES = st.one_of(
    HOSTILE,
    st.integers(),
    st.builds(Size, st.integers(0, 1 << 60)),
    st.builds(Moment, st.floats(0, 4e9)),
    st.builds(Who, HOSTILE | st.just("U12345")),
    st.builds(Group, HOSTILE | st.just("S12345")),
    st.builds(Code, HOSTILE),
    st.builds(Link, HOSTILE, st.just("https://acme.example/archives/C1/p1?thread_ts=1.2&cid=C1")),
    st.builds(many, st.lists(HOSTILE, max_size=40)),
)
PHRASES: st.SearchStrategy[Phrase] = st.builds(
    lambda one, two: say("{one} and `code` {two}", one=one, two=two), VALUES, VALUES
)
LABELS = st.text(max_size=100)
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Verdict, PHRASES, st.lists(PHRASES, max_size=3).map(tuple), st.sampled_from(Mark)),
    st.builds(Facts, st.lists(PHRASES, max_size=80).map(tuple)),
    st.builds(Ways, st.lists(PHRASES, max_size=3).map(tuple)),
    st.builds(
        Checks,
        st.lists(
            st.builds(Check, st.just("k"), st.sampled_from(Grade), LABELS, PHRASES, st.none() | PHRASES), max_size=12
        ).map(tuple),
    ),
    st.builds(
        Table,
        st.lists(LABELS, max_size=25).map(tuple),
        st.lists(st.lists(VALUES, min_size=1, max_size=25).map(tuple), max_size=5).map(tuple),
    ),
    st.builds(Progress, st.floats(-1, 2), st.floats(0, 1e6), st.none() | st.floats(0, 1e6)),
    st.builds(
        Choices,
        st.lists(
            st.builds(
                Button,
                LABELS,
                st.just("act"),
                st.just("t"),
                st.just("primary"),
                st.none() | PHRASES,
                st.none() | PHRASES,
            ),
            max_size=30,
        ).map(tuple),
    ),
    st.builds(
        Select,
        LABELS,
        st.just("pick"),
        st.lists(st.builds(Option, LABELS, st.just("v"), LABELS), max_size=120).map(tuple),
    ),
    st.builds(Small, PHRASES),
)
MESSAGES = st.builds(Message, PHRASES, st.lists(PARTS, max_size=12).map(tuple))


def shown(rendered: Rendered) -> str:
    return "\n".join(lines(rendered.blocks))


def lines(node: object) -> list[str]:
    if isinstance(node, list):
        return [line for each in node for line in lines(each)]
    if isinstance(node, dict):
        own = [node["text"]] if isinstance(node.get("text"), str) else []
        return own + [line for each in node.values() if not isinstance(each, str) for line in lines(each)]
    return []


@settings(max_examples=60)
@given(MESSAGES)
def test_whatever_goes_in_slack_takes_what_comes_out(message: Message) -> None:
    for rendered in (render(message), render(message, tables=False), render_bare(message)):
        complete_message_blocks(rendered.blocks)
        assert len(rendered.text) <= 4000


@given(HOSTILE)
def test_foreign_text_never_becomes_markup_in_the_fallback(name: str) -> None:
    text = render(Message(say("{vm}", vm=name), ())).text
    assert "<" not in text
    assert ">" not in text
    assert not re.search(r"[*_~`](?!\u200b)", text)
    assert not re.search(r":[a-z_]+:", text)
    assert "\n" not in text


@given(HOSTILE)
def test_foreign_text_stays_literal_in_the_card(name: str) -> None:
    rendered = render(Message(say("x"), (Facts((say("{vm}", vm=name),)),)))
    if clean(name):
        (block,) = rendered.blocks
        assert block["elements"][0]["elements"] == [{"type": "text", "text": clean(name)}]


@given(HOSTILE, HOSTILE)
def test_refusal_with_foreign_text_is_taken_and_defused(sentence: str, fix: str) -> None:
    rendered = render_refusal("There is no VM called “" + sentence + "”.", fix)
    complete_message_blocks(rendered.blocks)
    assert "<" not in rendered.text


def test_people_to_ask_are_mentioned_behind_the_advice_and_the_others_counted() -> None:
    refusal = NotAllowed("`/xen <freeze>` needs the admin role.", "Ask somebody who has it.", ask="admin")
    assert render_error(refusal) == render_refusal(refusal.message, refusal.fix)
    refusal.whom, refusal.others = ("U0001", "U0002"), 3
    rendered = render_error(refusal)
    complete_message_blocks(rendered.blocks)
    second = rendered.blocks[0]["elements"][1]["elements"]
    assert [(run["type"], run.get("text", run.get("user_id"))) for run in second] == [
        ("text", "Ask somebody who has it: "),
        ("user", "U0001"),
        ("text", ", "),
        ("user", "U0002"),
        ("text", " and 3 more."),
    ]
    assert rendered.text.endswith("Ask somebody who has it: <@U0001>, <@U0002> and 3 more.")
    assert "<freeze>" not in rendered.text
    strange = NotAllowed("No.", "Ask an admin of xenbot.", ask="admin")
    strange.whom = ("<!channel>",)
    assert "<!" not in render_error(strange).text


def test_sentence_stays_one_run() -> None:
    line = say("{vm} now runs on {host}", vm="centos54", host="xenserver3")
    rendered = render(Message(line, (Verdict(line, (say("job {n}", n=119),), Mark.DONE),)))
    assert rendered.blocks[0]["elements"][0]["elements"] == [
        {"type": "text", "text": "✓ centos54 now runs on xenserver3", "style": {"bold": True}},
        {"type": "text", "text": " · job 119"},
    ]
    assert rendered.text == "centos54 now runs on xenserver3"


def test_people_groups_times_and_code_are_what_they_are() -> None:
    line = say(
        "{who} of {group} at {at}: {code}", who=Who("U1234"), group=Group("S1234"), at=Moment(0), code=Code("/xen")
    )
    rendered = render(Message(line, (Facts((line,)),)))
    kinds = [run["type"] for run in rendered.blocks[0]["elements"][0]["elements"]]
    assert kinds == ["user", "text", "usergroup", "text", "date", "text", "text"]
    assert rendered.text == (
        "<@U1234> of <!subteam^S1234> at <!date^0^{date_short_pretty} at {time}|1970-01-01 00:00 UTC>: `/xen`"
    )


def test_a_link_shows_its_words_as_they_are_and_leads_where_slack_said() -> None:
    url = "https://acme.example/archives/C1/p2?thread_ts=1.2&cid=C1"
    rendered = render(
        Message(say("at {card}", card=Link("*card* <1>", url)), (Facts((say("{a}", a=Link("7", url)),)),))
    )
    assert rendered.blocks[0]["elements"][0]["elements"] == [{"type": "link", "url": url, "text": "7"}]
    assert rendered.text == f"at <{url.replace('&', '&amp;')}|*\u200bcard*\u200b &lt;1&gt;>"


def test_person_of_the_console_is_text() -> None:
    line = say("by {who}", who=Who("console:root"))
    assert render(Message(line, ())).text == "by @console:root"


def test_failing_checks_come_first_each_with_its_fix_and_passed_ones_in_one_line() -> None:
    checks = Checks(
        (
            Check("pool", Grade.OK, "Same pool", say("yes")),
            Check("cpu", Grade.OK, "CPU", say("yes")),
            Check("sr", Grade.BLOCKED, "Shared storage", say("disk 0 is local"), say("Move the disk.")),
        )
    )
    text = shown(render(Message(say("x"), (checks,))))
    assert text.splitlines() == [
        "✗ Shared storage: ",
        "disk 0 is local",
        "Fix: Move the disk.",
        "✓ 2 checks passed: same pool, CPU",
    ]


def test_progress_says_percent_time_and_rest() -> None:
    text = shown(render(Message(say("x"), (Progress(0.62, 25, 15),))))
    assert text == "███████░░░░░ 62 % · 25 s, about 15 s left"


def test_table_stands_last_and_says_what_did_not_fit() -> None:
    table = Table(("job", "by"), tuple((str(n), Who("U1234")) for n in range(150)))
    rendered = render(Message(say("x"), (table, Facts((say("after"),)))))
    assert [block["type"] for block in rendered.blocks] == ["context", "rich_text", "table"]
    assert rendered.blocks[0]["elements"][0]["text"] == "51 more are not shown here."
    assert rendered.blocks[-1]["rows"][1][1]["type"] == "rich_text"


def test_button_carries_action_target_style_voice_and_question() -> None:
    button = Button(
        "Cancel", "cancel", "key", "danger", say("Cancel job {n}", n=3), say("Stop moving {vm}?", vm="<!here>")
    )
    (row,) = render(Message(say("x"), (Choices((button, button)),))).blocks
    first, second = row["elements"]
    assert first["text"] == {"type": "plain_text", "text": "Cancel", "emoji": False}
    assert (first["action_id"], first["value"], first["style"]) == ("cancel", "key", "danger")
    assert first["accessibility_label"] == "Cancel job 3"
    assert first["confirm"]["text"] == {"type": "plain_text", "text": "Stop moving <!here>?", "emoji": False}
    assert [first["confirm"][answer]["text"] for answer in ("confirm", "deny")] == ["Cancel", "Back"]
    assert second["action_id"] == "cancel#2"


def test_a_question_has_its_own_answers_and_is_marked_up_only_to_name_people() -> None:
    asks = say("Stop what {who} began on {vm}?", who=Who("U1234"), vm="*bold*")
    button = Button("Cancel", "cancel", "key", confirm=asks, yes="Stop the job", no="Let it run")
    (row,) = render(Message(say("x"), (Choices((button,)),))).blocks
    confirm = row["elements"][0]["confirm"]
    assert (confirm["confirm"]["text"], confirm["deny"]["text"]) == ("Stop the job", "Let it run")
    assert confirm["text"]["type"] == "mrkdwn"
    assert "<@U1234>" in confirm["text"]["text"]


def test_buttons_survive_a_message_with_too_many_parts() -> None:
    parts = (*(Small(say("line {n}", n=n)) for n in range(60)), Choices((Button("Confirm", "confirm", "k"),)))
    blocks = render(Message(say("x"), parts)).blocks
    assert len(blocks) == 50
    assert blocks[-1]["type"] == "actions"
