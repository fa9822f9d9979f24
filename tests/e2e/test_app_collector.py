"""What the bot does so that the garbage collector never holds up an ack for long."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import aiohttp

from bot.app import App
from bot.config import load
from bot.lab.launch import Lab, LabOptions

PASSWORDS = ("EXPERIMENT", "XENSERVER2", "XENSERVER_FP1", "XENSERVER4")


async def test_what_was_loaded_at_the_start_is_not_looked_through_again(tmp_path: Path) -> None:
    lab = Lab(LabOptions(port=0, xapi_port=0), tmp_path)
    async with lab.running():
        environment = {
            "XENBOT_SLACK_BOT_TOKEN": lab.workplace.bot_token,
            "XENBOT_SLACK_APP_TOKEN": lab.workplace.app_token,
            **{f"XENBOT_POOL_{name}_PASSWORD": lab.datacentre.password for name in PASSWORDS},
        }
        # The lab of this process does the same for its records.
        gc.unfreeze()
        config = load(lab.config_path, environment)
        stop = asyncio.Event()
        running = asyncio.create_task(App(config).run(stop))
        try:
            async with asyncio.timeout(120), aiohttp.ClientSession() as http:
                await lab.workplace.connected()
                async with http.get(f"http://{config.web.listen}/metrics") as answer:
                    told = await answer.text()
            assert gc.get_freeze_count() > 0
            assert "xenbot_event_loop_lag_seconds_bucket" in told
        finally:
            stop.set()
            await running
            gc.unfreeze()
