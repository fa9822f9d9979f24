"""What the world of the other checks lacks: hosts over bonds, and an authority that the pool trusts."""

from __future__ import annotations

from pathlib import Path

from broken_pool import Pool, check, xapi_date
from story_lab import opened, story_lab

import bot.lab

ARTICLE = Path(bot.lab.__file__).parent / "worlds" / "article.toml"


async def test_a_bond_that_lost_a_link_and_an_authority_that_ends_are_found_and_gone_once_mended(
    tmp_path: Path,
) -> None:
    world = tmp_path / "bonded.toml"
    text = ARTICLE.read_text(encoding="utf-8").replace(
        'name = "experiment"', 'name = "experiment"\nauthorities = ["company-root"]', 1
    )
    world.write_text(
        text.replace('pool = "experiment"\ncpu', 'bonded = true\npool = "experiment"\ncpu'), encoding="utf-8"
    )
    async with story_lab(tmp_path, "--speed", "8", "--world", str(world)) as lab:
        with opened(lab) as xapi:
            pool = Pool(lab, xapi)
            await check(lab, "all links up", "every card in use has its link")
            (root,) = [ref for ref, one in xapi.Certificate.get_all_records().items() if one["type"] == "ca"]
            await pool.breaks("Certificate", root, "not_after", xapi_date(-1))
            cable = {"do": "carrier", "host": "xenserver3"}
            await lab.lab("datacentre", **cable, device="eth1", link="down")
            await check(
                lab,
                *("Bonds", "bond0 of xenserver3: 1 of 2 links up", "Mend the missing link before the next one goes"),
                *("eth1 of xenserver3 (part of bond0) has no link", "to watch"),
                *("trusted authority company-root ended", "Put a new certificate in place"),
            )
            await lab.lab("datacentre", **cable, device="eth0", link="down")
            await check(lab, "need you", "bond0 of xenserver3: 0 of 2 links up")
            for card in ("eth0", "eth1"):
                await lab.lab("datacentre", **cable, device=card, link="up")
            await pool.mend()
            await check(lab, "all links up", without=("bond0 of xenserver3:", "trusted authority", "has no link"))
