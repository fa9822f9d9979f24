"""Requests that break one host and mend it again; `breakage` does it.

Docstrings and labels are what people read on the page. Clocks, storage and power have requests of their own.
"""

from typing import Annotated, Literal

from msgspec import Meta

from bot.lab.xapi.control import Control, HostName, StorageName
from bot.lab.xapi.machine import CertificateFile

_Days = Annotated[float, Meta(ge=-3650, le=3650)]
_Mib = Annotated[int, Meta(ge=256, le=1_048_576)]


class PullCable(Control, frozen=True, tag="carrier"):
    """Pulls the cable of a network card, or puts it back; what the host says on it goes on all the same."""

    label = "Pull a network cable"
    host: HostName
    device: Annotated[str, Meta(title="Card")] = "eth0"
    link: Annotated[Literal["down", "up"], Meta(title="Link")] = "down"


class EndCertificate(Control, frozen=True, tag="certificate"):
    """Lets the certificate of a host end in so many days, or be at its end already with less than nothing.

    Without days it ends again when it really does. The connections of clients do not change.
    """

    label = "Let a certificate end"
    host: HostName
    days: Annotated[_Days | None, Meta(title="In how many days")] = None


class ShrinkControlDomain(Control, frozen=True, tag="dom0_memory"):
    """Leaves the control domain of a host little memory; without a number it has again what it had."""

    label = "Starve a control domain"
    host: HostName
    mib: Annotated[_Mib | None, Meta(title="MiB that it has")] = None


class LosePaths(Control, frozen=True, tag="paths"):
    """Says how many of a host's paths to a storage are up; without a storage those to the disk it starts from.

    As many as there are at most mend it.
    """

    label = "Lose paths to a storage"
    host: HostName
    sr: Annotated[StorageName, Meta(title="Storage on a LUN")] = ""
    up: Annotated[int, Meta(ge=0, le=64, title="Paths that are up")] = 1
    of: Annotated[int, Meta(ge=1, le=64, title="Paths at most")] = 2


class SwitchLicensing(Control, frozen=True, tag="licence_daemon"):
    """Stops the licence daemon of a host, or starts it; XAPI asks it how editions rank when a host joins a pool."""

    label = "Stop a licence daemon"
    host: HostName
    daemon: Annotated[Literal["stopped", "running"], Meta(title="Licence daemon")] = "stopped"


class LoseCertificateFile(Control, frozen=True, tag="certificate_file"):
    """Takes a file of certificates away from a host; without one all are there again. No record tells of it.

    `own` is what it shows to other hosts, `pool` what a coordinator's pool keeps of it, `bundle` what it keeps of the
    pool that it joins.
    """

    label = "Lose a file of certificates"
    host: HostName
    file: Annotated[CertificateFile, Meta(title="File")] = ""


AnyBreak = PullCable | EndCertificate | ShrinkControlDomain | LosePaths | SwitchLicensing | LoseCertificateFile
