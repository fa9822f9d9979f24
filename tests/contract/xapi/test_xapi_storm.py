"""Everything goes wrong at once, in an order that dice choose: the records must never contradict themselves."""

import random
from typing import Any

import pytest
from datacentre_client import PASSWORD

from bot.lab.xapi import Datacentre
from bot.lab.xapi.consistency import find_contradictions

STEPS = 60
HOSTS = ("host001", "host002", "host003")


def make_request(dice: random.Random, lab: Datacentre) -> dict[str, Any]:
    """Returns one thing that can go wrong, or a while in which things come right."""
    host = dice.choice(HOSTS)
    guest = dice.choice(lab.state()["guests"])["uuid"]
    return dice.choice(
        [
            {"do": "kill_host", "host": host},
            {"do": "start_host", "host": host},
            {"do": "cut_network", "host": host},
            {"do": "restore_network", "host": host},
            {"do": "move_coordinator", "host": host},
            {"do": "restart_toolstack", "host": host},
            {"do": "expire_sessions"},
            {"do": "crash_guest", "guest": guest},
            {"do": "stop_guest", "guest": guest, "how": dice.choice(("shutdown", "reboot"))},
            {"do": "move_guest", "guest": guest, "host": host},
            {"do": "move_guest", "guest": guest, "host": host},
            {"do": "occupy_guest", "guest": guest, "operation": "snapshot", "seconds": 30},
            {"do": "occupy_host", "host": host, "operation": "evacuate", "seconds": 30},
            {"do": "unplug_pbd", "sr": "nfs-large", "host": host},
            {"do": "plug_pbd", "sr": "nfs-large", "host": host},
            {"do": "pause_tasks", "at": 0.5},
            {"do": "release_tasks"},
            {"do": "advance", "seconds": dice.choice((0.1, 1, 5, 40, 200, 700))},
            {"do": "advance", "seconds": dice.choice((0.1, 1, 5, 40, 200, 700))},
        ]
    )


@pytest.mark.parametrize("seed", range(6))
async def test_no_disaster_makes_the_records_contradict_themselves(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  the same disasters at every run
    lab = Datacentre(world="large:3x9", port=0, password=PASSWORD, manual_clock=True)
    await lab.start()
    done = []
    try:
        for _ in range(STEPS):
            request = make_request(dice, lab)
            try:
                await lab.do(request)
            except ValueError:
                continue  # it makes no sense now, such as killing a dead host
            done.append(request)
            found = [text for pool in lab._pools for text in find_contradictions(pool.database)]
            assert found == [], done[-4:]
        for host in HOSTS:
            for remedy in ("restore_network", "start_host"):
                if lab_needs(lab, host, remedy):
                    await lab.do({"do": remedy, "host": host})
        await lab.do({"do": "release_tasks"})
        await lab.do({"do": "advance", "seconds": 4000})
        state = lab.state()
        assert [
            host["name"] for host in state["hosts"] if host["silent"] or not host["live"] or host["emergency"]
        ] == []
        assert [guest["operation"] for guest in state["guests"] if guest["operation"]] == []
        assert [task["name"] for task in state["tasks"] if task["status"] == "pending"] == []
    finally:
        await lab.stop()


def lab_needs(lab: Datacentre, name: str, remedy: str) -> bool:
    """Tells whether a host is in the state that a remedy is for."""
    host = next(one for one in lab.state()["hosts"] if one["name"] == name)
    return bool(host["cut"]) if remedy == "restore_network" else not host["alive"]
