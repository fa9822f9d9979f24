import msgspec
import pytest

from bot.domain.secret_names import password_variable
from bot.xen.settings import HostSettings, PoolSettings, findings, fingerprint_digest

DIGEST = "ab" * 32


def pool(**fields: object) -> PoolSettings:
    return msgspec.convert(
        {"name": "experiment", "hosts": [{"address": "10.0.0.1", "fingerprint": DIGEST}], **fields}, PoolSettings
    )


def test_a_pinned_pool_has_no_findings() -> None:
    assert findings([pool()]) == []


def test_every_problem_is_found_at_once() -> None:
    found = findings(
        [
            pool(
                name=" ",
                ca_file="no-such-file.pem",
                hosts=[
                    {"address": "https://10.0.0.1/"},
                    {"address": "10.0.0.2", "port": 0, "fingerprint": "sha256:12", "scheme": "http"},
                    {"address": "10.0.0.2"},
                ],
            )
        ]
    )
    text = "\n".join(found)
    for part in (
        "needs a name",
        "no certificates",
        "is not an address",
        "not a port",
        "64 hex digits",
        "in the clear",
        "twice",
    ):
        assert part in text


def test_a_host_that_nothing_identifies_is_refused() -> None:
    assert "needs a fingerprint" in findings([pool(hosts=[{"address": "10.0.0.1"}])])[0]
    assert findings([pool(hosts=[{"address": "10.0.0.1"}], insecure=True)]) == []


def test_pools_that_would_share_a_password_variable_are_refused() -> None:
    assert "XENBOT_POOL_LAB_1_PASSWORD" in findings([pool(name="lab-1"), pool(name="lab.1")])[0]


def test_unknown_keys_are_errors_that_name_their_place() -> None:
    with pytest.raises(msgspec.ValidationError, match="fingerprnt"):
        pool(hosts=[{"address": "10.0.0.1", "fingerprnt": DIGEST}])


@pytest.mark.parametrize(
    "written", [DIGEST, f"sha256:{DIGEST}", f"SHA256:{':'.join(['AB'] * 32)}", f" sha256:{DIGEST} "]
)
def test_a_fingerprint_may_be_written_in_the_usual_ways(written: str) -> None:
    assert fingerprint_digest(written) == bytes.fromhex(DIGEST)


@pytest.mark.parametrize("written", ["", "sha256:", "zz" * 32, "ab" * 31])
def test_what_is_no_fingerprint_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="hex"):
        fingerprint_digest(written)


@pytest.mark.parametrize(
    ("name", "variable"),
    [("experiment", "XENBOT_POOL_EXPERIMENT_PASSWORD"), ("lab-1 東", "XENBOT_POOL_LAB_1___PASSWORD")],
)
def test_the_password_variable_holds_only_letters_digits_and_underscores(name: str, variable: str) -> None:
    assert password_variable(name) == variable


def test_a_host_is_listed_however_its_address_is_written() -> None:
    settings = pool(hosts=[{"address": "Xen1.example."}, {"address": "fd00:0:0::1"}], insecure=True)
    assert settings.listed("xen1.EXAMPLE") == settings.hosts[0]
    assert settings.listed("[fd00::1]") == settings.hosts[1]
    assert settings.listed("10.0.0.9") is None
    assert HostSettings("fd00::1").url == "https://[fd00::1]:443"
