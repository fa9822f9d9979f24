"""A large pool and, beside it, one host of the same make that stands alone and could join: a world file for the lab."""

from __future__ import annotations

from importlib.resources import files

POOL, NEWCOMER = "large", "newcomer"


def with_a_newcomer(hosts: int, guests: int) -> str:
    """TOML of a pool of so many like hosts and guests on one shared storage, and of the host outside."""
    article = (files("bot.lab") / "worlds" / "article.toml").read_text(encoding="utf-8")
    # The makes and versions come first in the file.
    made = 'cpu = "intel"\nversion = "xenserver-8"\n'
    memory = f"memory_gib = {16 + 2 * -(-guests // hosts)}\n"
    parts = [article.partition("[[pools]]")[0], f'[[pools]]\nname = "{POOL}"\ncoordinator = "host001"\n']
    parts += [
        f'[[hosts]]\nname = "host{number:03}"\nnumber = {number}\npool = "{POOL}"\n{made}{memory}'
        for number in range(1, hosts + 1)
    ]
    parts.append(f'[[hosts]]\nname = "{NEWCOMER}"\nnumber = {hosts + 1}\n{made}')
    parts.append(
        f'[[storage]]\nname = "nfs-large"\npool = "{POOL}"\ntype = "nfs"\nsize_gib = 102400\n'
        'device_config = { server = "nfsserver", serverpath = "/home/large" }\ndefault = true\n'
    )
    for number in range(guests):
        host, address = f"host{number % hosts + 1:03}", number % 254 + 1
        parts.append(
            f'[[guests]]\nname = "vm{number:05}"\nhost = "{host}"\naddress = {address}\n'
            'disks = [{ storage = "nfs-large" }]\n'
        )
    return "\n".join(parts)
