"""Whether backups lie on the same file server as the guest is told from mounts and device-configs alone."""

from __future__ import annotations

import pytest

from bot.backups.mounts import mount_of, server_of, shares_server

MOUNTS = r"""sysfs /sys sysfs rw,nosuid 0 0
/dev/vda1 / ext4 rw,relatime 0 0
filer1.example.org:/export/backup /backup nfs4 rw,vers=4.2,hard,addr=192.0.2.5,clientaddr=192.0.2.9 0 0
[2001:db8::5]:/export /backup/six nfs rw,addr=2001:db8::5 0 0
//filer2/share /mnt/my\040share cifs rw,addr=192.0.2.6,username=bot 0 0
/dev/vdb1 /backup/local xfs rw 0 0
broken line
""".replace("broken line", "x")


@pytest.mark.parametrize(
    ("path", "point"),
    [
        ("/backup", "/backup"),
        ("/backup/guests/x", "/backup"),
        ("/backups", "/"),
        ("/backup/six/a", "/backup/six"),
        ("/backup/local", "/backup/local"),
        ("/mnt/my share/a", "/mnt/my share"),
        ("/", "/"),
    ],
)
def test_the_nearest_mount_holds_a_path(path: str, point: str) -> None:
    mount = mount_of(path, MOUNTS)
    assert mount is not None
    assert mount.point == point


def test_of_two_mounts_on_one_place_the_later_one_counts() -> None:
    mount = mount_of("/backup", f"{MOUNTS}tmpfs /backup tmpfs rw 0 0\n")
    assert mount is not None
    assert mount.kind == "tmpfs"


def test_without_a_list_of_mounts_nothing_is_claimed() -> None:
    assert mount_of("/backup", "") is None


@pytest.mark.parametrize(
    ("source", "server"),
    [
        ("filer1:/export", "filer1"),
        ("Filer1.Example.Org.:/export/a:b", "filer1.example.org"),
        ("[2001:DB8:0::5]:/export", "2001:db8::5"),
        ("//filer2/share", "filer2"),
        ("\\\\filer2\\share", "filer2"),
        ("/dev/vda1", ""),
        ("", ""),
        (":/", ""),
    ],
)
def test_the_server_is_read_from_what_is_mounted(source: str, server: str) -> None:
    assert server_of(source) == server


@pytest.mark.parametrize(
    ("path", "device_config", "same"),
    [
        ("/backup", {"server": "filer1.example.org", "serverpath": "/export/sr"}, True),
        ("/backup", {"server": "FILER1.example.org.", "serverpath": "/export/sr"}, True),
        # The address that the name stood for when it was mounted.
        ("/backup", {"server": "192.0.2.5", "serverpath": "/other"}, True),
        ("/backup", {"server": "192.0.2.6", "serverpath": "/export/sr"}, False),
        ("/backup", {"location": "192.0.2.5:/isos", "type": "nfs_iso"}, True),
        ("/backup", {"location": "/dev/sdb", "legacy_mode": "true"}, False),
        ("/backup", {"device": "/dev/disk/by-id/x"}, False),
        ("/backup", {}, False),
        ("/backup", {"server": ""}, False),
        ("/backup/six", {"server": "2001:db8:0:0::5"}, True),
        ("/mnt/my share", {"server": "\\\\filer2\\vhds"}, True),
        ("/mnt/my share", {"location": "//192.0.2.6/isos", "type": "cifs"}, True),
        # A local disk below a file server, and a machine that has the server's name.
        ("/backup/local", {"server": "filer1.example.org"}, False),
    ],
)
def test_only_the_server_itself_is_the_same(path: str, device_config: dict[str, str], *, same: bool) -> None:
    mount = mount_of(path, MOUNTS)
    assert mount is not None
    assert shares_server(mount, device_config) is same
