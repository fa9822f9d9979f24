"""What can be wrong with settings that have the right types: one generator of findings per section.

A section that could not be read is None here and has its findings already.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bot.backups.settings import BackupSettings
from bot.backups.settings import findings as backup_findings
from bot.domain.plan import Risk
from bot.domain.policy import ApprovalRule, ApprovalSettings
from bot.logs import clean_text
from bot.slack.settings import RoleSettings, SlackSettings, is_group
from bot.store import StoreSettings
from bot.web import WebSettings
from bot.xen.settings import PoolSettings

MOST_APPROVERS: Final = 5
MOST_DAYS: Final = 3650
LONGEST_EXPIRY_MINUTES: Final = 7 * 24 * 60

_TEAM: Final = re.compile(r"[TE][A-Z0-9]{2,}")
_CHANNEL: Final = re.compile(r"[CG][A-Z0-9]{2,}")
_HOLDER: Final = re.compile(r"[UWS][A-Z0-9]{2,}")


def check_slack(slack: SlackSettings | None) -> Iterator[str]:
    """Findings about `[slack]`."""
    if slack is None:
        return
    if not _TEAM.fullmatch(slack.team):
        yield f"slack.team: “{clean_text(slack.team)}” is not the id of a workspace; it begins with T."
    if not slack.channels:
        yield "slack.channels: at least one channel is needed, or nobody could change anything."
    for index, channel in enumerate(slack.channels):
        yield from _check_channel(f"slack.channels[{index}]", channel)
        if channel in slack.channels[:index]:
            yield f"slack.channels[{index}]: {channel} is listed twice."
    if slack.alerts_channel:
        yield from _check_channel("slack.alerts_channel", slack.alerts_channel)
    yield from _check_api_url(slack.api_url)


def _check_channel(where: str, channel: str) -> Iterator[str]:
    if not _CHANNEL.fullmatch(channel):
        yield (
            f"{where}: “{clean_text(channel)}” is not the id of a channel; it begins with C or G and stands at the end "
            "of the channel's details."
        )


def _check_api_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"} or not url.endswith("/"):
        yield f"slack.api_url: “{clean_text(url)}” is not the address of a Web API; it ends with /."
    elif parts.scheme == "http" and not _is_loopback(host):
        yield "slack.api_url: http would send the token in the clear; only a loopback address may use it."


def check_pools(pools: Mapping[int, PoolSettings]) -> Iterator[str]:
    """Findings about pools beside each other, and about contradictions inside one, by their place in the file."""
    for index, pool in pools.items():
        where = f"pools[{index}] ({clean_text(pool.name)})"
        if clean_text(pool.name) != pool.name:
            yield f"{where}.name: holds a control or invisible character."
        if not pool.user:
            yield f"{where}.user: a user name is needed."
        if pool.insecure and pool.ca_file:
            yield f"{where}: insecure and ca_file contradict each other."
        for number, host in enumerate(pool.hosts):
            if pool.insecure and host.fingerprint:
                yield f"{where}.hosts[{number}]: insecure and a fingerprint contradict each other."
            for other in (pools[place] for place in pools if place < index):
                if other.listed(host.address):
                    yield (
                        f"{where}.hosts[{number}]: {clean_text(host.address)} is listed in pool "
                        f"“{clean_text(other.name)}” already."
                    )


def check_roles(roles: RoleSettings | None) -> Iterator[str]:
    """Findings about `[roles]`."""
    if roles is None:
        return
    for role, ids in roles.named().items():
        yield from _check_holders(f"roles.{role.value}", ids)


def _check_holders(where: str, ids: tuple[str, ...]) -> Iterator[str]:
    for index, one in enumerate(ids):
        if not _HOLDER.fullmatch(one):
            yield (
                f"{where}[{index}]: “{clean_text(one)}” is not the id of a person (U…, W…) or of a user group (S…); "
                "names are not taken, because people can change them."
            )
        if one in ids[:index]:
            yield f"{where}[{index}]: {one} is listed twice."


def check_approval(
    approval: ApprovalSettings | None, roles: RoleSettings | None, pools: Iterable[PoolSettings]
) -> Iterator[str]:
    """Findings about `[approval]`, and whether there are people enough to approve."""
    if approval is None:
        return
    needed = {
        "low": approval.low,
        "medium": approval.medium,
        "high": approval.high,
        "critical": approval.critical,
    }
    for risk, count in needed.items():
        if not 0 <= count <= MOST_APPROVERS:
            yield f"approval.{risk}: must be from 0 to {MOST_APPROVERS}, not {count}."
    for (lower, few), (higher, many) in pairwise(needed.items()):
        if few > many:
            yield f"approval.{higher}: needs {many}, fewer than approval.{lower} with {few}."
    yield from _check_times(approval)
    yield from _check_rules(approval.rules, pools)
    for index, tag in enumerate(approval.critical_tags):
        if not tag.strip():
            yield f"approval.critical_tags[{index}]: is empty."
    yield from _check_holders("approval.break_glass", approval.break_glass)
    yield from _check_backup_days(approval)
    most = max([*needed.values(), *(rule.approvers for rule in approval.rules)])
    if roles is not None and most > 0:
        yield from _check_approvers(most, roles.approver)


def _check_times(approval: ApprovalSettings) -> Iterator[str]:
    lowest = {"expiry_minutes": 1, "remind_minutes": 0, "start_minutes": 1}
    for key, least in lowest.items():
        if not least <= getattr(approval, key) <= LONGEST_EXPIRY_MINUTES:
            yield f"approval.{key}: must be from {least} to {LONGEST_EXPIRY_MINUTES} (7 days)."


def _check_backup_days(approval: ApprovalSettings) -> Iterator[str]:
    if not 0 <= approval.backup_days <= MOST_DAYS:
        yield f"approval.backup_days: must be from 0 to {MOST_DAYS}."


def _check_rules(rules: tuple[ApprovalRule, ...], pools: Iterable[PoolSettings]) -> Iterator[str]:
    known = {pool.name for pool in pools}
    for index, rule in enumerate(rules):
        where = f"approval.rules[{index}]"
        if not rule.pool and not rule.tag.strip():
            yield f"{where}: needs a pool, a tag or both to say which guests it is about."
        if rule.pool and rule.pool not in known:
            yield f"{where}.pool: “{clean_text(rule.pool)}” is not the name of a pool under [[pools]]."
        if rule.risk is Risk.LOW and rule.approvers == 0:
            yield f"{where}: asks for nothing; give it a risk or a number of approvers."
        if not 0 <= rule.approvers <= MOST_APPROVERS:
            yield f"{where}.approvers: must be from 0 to {MOST_APPROVERS}, not {rule.approvers}."


def _check_approvers(most: int, approvers: Iterable[str]) -> Iterator[str]:
    people = set(approvers)
    # Who is in a user group only Slack knows.
    if not any(map(is_group, people)) and len(people) < most:
        yield f"roles.approver: {most} approvers can be needed ([approval]), but {len(people)} are named."


def check_store(store: StoreSettings | None) -> Iterator[str]:
    """Findings about `[store]`."""
    if store is None:
        return
    path = Path(store.path)
    if not store.path:
        yield "store.path: a file name is needed."
    elif path.is_dir():
        yield f"store.path: {path} is a folder; name a file in it."
    elif not path.parent.is_dir():
        yield f"store.path: there is no folder {path.parent}."


def check_backups(backups: BackupSettings | None) -> Iterator[str]:
    """Findings about `[backups]`."""
    if backups is not None:
        yield from backup_findings(backups)


def check_web(web: WebSettings | None) -> Iterator[str]:
    """Findings about `[web]`."""
    if web is not None:
        try:
            web.address()
        except ValueError as error:
            yield f"web.listen: {error}."


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
