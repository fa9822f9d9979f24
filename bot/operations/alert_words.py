"""Messages of XAPI in our words. The codes are those a server writes; one without a line here is shown as it is."""

from __future__ import annotations

from bot.domain.inventory import Alert, PoolView
from bot.domain.texts import Code, Moment, Phrase, Quote, say

_WORDS = {
    "ALARM": "a measured value left its bounds",
    "BOND_STATUS_CHANGED": "a network bond changed its state",
    "HA_HEARTBEAT_APPROACHING_TIMEOUT": "HA heartbeat is nearly too late",
    "HA_HOST_FAILED": "HA counts the host as failed",
    "HA_HOST_WAS_FENCED": "HA restarted the host to be safe",
    "HA_NETWORK_BONDING_ERROR": "HA sees a fault in a network bond",
    "HA_POOL_DROP_IN_PLAN_EXISTS_FOR": "HA can bear fewer host failures than before",
    "HA_POOL_OVERCOMMITTED": "HA can no longer restart every protected guest",
    "HA_PROTECTED_VM_RESTART_FAILED": "HA could not restart a protected guest",
    "HA_STATEFILE_APPROACHING_TIMEOUT": "HA storage heartbeat is nearly too late",
    "HA_STATEFILE_LOST": "HA lost its storage heartbeat",
    "HA_XAPI_HEALTHCHECK_APPROACHING_TIMEOUT": "the toolstack is nearly too slow for HA",
    "HOST_CLOCK_SKEW_DETECTED": "the host's clock differs from the coordinator's",
    "HOST_CLOCK_WENT_BACKWARDS": "the host's clock went backwards",
    "HOST_SYNC_DATA_FAILED": "the pool's data could not be copied to the host",
    "IP_CONFIGURED_PIF_CAN_UNPLUG": "a network interface with an address may be unplugged",
    "LICENSE_EXPIRED": "the licence has expired",
    "LICENSE_EXPIRES_SOON": "the licence expires soon",
    "MULTIPATH_PERIODIC_ALERT": "paths to storage are missing",
    "PBD_PLUG_FAILED_ON_SERVER_START": "the host could not reach a storage repository when it started",
    "POOL_MASTER_TRANSITION": "the pool has a new coordinator",
    "REDO_LOG_BROKEN": "the redo log is broken",
    "VM_CRASHED": "the guest crashed",
}
_CERTIFICATES = {
    "HOST_INTERNAL_CERTIFICATE": "the certificate that the pool's hosts know the host by",
    "HOST_SERVER_CERTIFICATE": "the host's certificate",
    "POOL_CA_CERTIFICATE": "the certificate of a trusted authority",
    "POOL_PINNED_CERTIFICATE": "the pinned certificate of another server",
}
_ENDS = {
    "EXPIRED": "has expired",
    "EXPIRING_07": "expires within 7 days",
    "EXPIRING_14": "expires within 14 days",
    "EXPIRING_30": "expires within 30 days",
}
_WORDS |= {f"{of}_{ends}": f"{what} {when}" for of, what in _CERTIFICATES.items() for ends, when in _ENDS.items()}
#: What a host complains of that its guests are spared elsewhere: of a certificate or a clock no move rids anybody.
_SPARED = frozenset(
    {
        "ALARM",
        "BOND_STATUS_CHANGED",
        "HA_HEARTBEAT_APPROACHING_TIMEOUT",
        "HA_NETWORK_BONDING_ERROR",
        "HA_STATEFILE_APPROACHING_TIMEOUT",
        "HA_STATEFILE_LOST",
        "HA_XAPI_HEALTHCHECK_APPROACHING_TIMEOUT",
        "MULTIPATH_PERIODIC_ALERT",
    }
)
_SHORT_BODY = 120


def moving_helps(name: str) -> bool:
    """Whether guests are better off elsewhere while a host complains with this code."""
    return name in _SPARED


def of_certificate(name: str) -> bool:
    """Whether this code tells that a certificate ends, or has ended."""
    return name.startswith(tuple(_CERTIFICATES))


def kind(name: str) -> Phrase:
    """What an alert of this code is about, without its object."""
    known = _WORDS.get(name)
    return say(known) if known else say("{code}", code=Code(name))


def describe(alert: Alert, view: PoolView) -> Phrase:
    """One alert in one line: what happened, to what, when; the server's own text where it is one short line."""
    what = kind(alert.name)
    name = _name_of(alert.about, view)
    about = say("{name}: {what}", name=name, what=what) if name else what
    body = alert.body.strip()
    if body and len(body) <= _SHORT_BODY and "\n" not in body and not body.startswith("<"):
        return say("{when} {about} (“{body}”)", when=Moment(alert.at), about=about, body=Quote(body))
    return say("{when} {about}", when=Moment(alert.at), about=about)


def _name_of(uuid: str, view: PoolView) -> str:
    for kind in (view.hosts, view.srs, view.vms):
        for one in kind:
            if one.uuid == uuid:
                return one.name
    return view.name if view.pool is not None and view.pool.uuid == uuid else ""
