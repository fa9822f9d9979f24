import msgspec

from bot.xen.hunt import Hunt
from bot.xen.settings import HostSettings, PoolSettings

HOSTS = tuple(HostSettings(f"10.0.0.{number}") for number in (1, 2, 3))
POOL = PoolSettings("experiment", HOSTS, insecure=True)


def test_all_listed_hosts_are_asked_once_the_last_coordinator_first() -> None:
    hunt = Hunt(POOL, HOSTS[1])
    asked = []
    while (host := hunt.next()) is not None:
        asked.append(host)
        hunt.failed(host, "refused the connection")
    assert asked == [HOSTS[1], HOSTS[0], HOSTS[2]]
    assert hunt.story.count("refused the connection") == 3


def test_a_named_coordinator_is_asked_next() -> None:
    hunt = Hunt(POOL, None)
    assert hunt.next() == HOSTS[0]
    hunt.pointed(HOSTS[0], "10.0.0.3")
    assert [hunt.next(), hunt.next(), hunt.next()] == [HOSTS[2], HOSTS[1], None]


def test_an_unlisted_coordinator_is_never_asked_and_is_named() -> None:
    hunt = Hunt(msgspec.structs.replace(POOL, hosts=HOSTS[:1]), None)
    assert hunt.next() == HOSTS[0]
    hunt.pointed(HOSTS[0], "203.0.113.7")
    assert hunt.next() is None
    assert "203.0.113.7" in hunt.story
    assert "not listed" in hunt.story


def test_two_members_that_name_each_other_end_the_hunt() -> None:
    hunt = Hunt(msgspec.structs.replace(POOL, hosts=HOSTS[:2]), None)
    hunt.next()
    hunt.pointed(HOSTS[0], "10.0.0.2")
    hunt.next()
    hunt.pointed(HOSTS[1], "10.0.0.1")
    assert hunt.next() is None
    assert "cannot serve" in hunt.story
