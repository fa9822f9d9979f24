"""Runs a program of this folder under Node.js beside a test, and asks it to do things."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PACKAGES = FOLDER / "node_modules"
NODE = shutil.which("node")
DEADLINE_S = 60.0
_LONGEST_LINE = 1 << 26


class NodeError(Exception):
    """What the program's library threw, with the particulars it gave."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: str = error.get("code", "")
        self.params: list[str] = error.get("params", [])
        self.data: dict[str, Any] = error.get("data", {})


class NodeProgram:
    """A running program; see `bridge.mjs` for its side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._count = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def ask(self, what: str, **arguments: Any) -> Any:
        """What the program's function of that name gives; `NodeError` where it throws."""
        self._count += 1
        number = self._count
        line = json.dumps({"id": number, "do": what, "with": arguments})
        assert self._process.stdin is not None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()
        async with asyncio.timeout(DEADLINE_S):
            return await answer

    async def read(self) -> None:
        """Hands answers to who asked, until the program ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            answer = json.loads(line)
            waiting = self._waiting.pop(answer["id"])
            if waiting.done():
                continue
            if "error" in answer:
                waiting.set_exception(NodeError(answer["error"]))
            else:
                waiting.set_result(answer.get("result"))
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the program ended"))


@asynccontextmanager
async def node_program(script: str, **settings: Any) -> AsyncIterator[NodeProgram]:
    """A program of this folder, started with its settings; it has ended when this does."""
    assert NODE is not None
    process = await asyncio.create_subprocess_exec(
        NODE,
        str(FOLDER / "bridge.mjs"),
        script,
        json.dumps(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        cwd=FOLDER,
    )
    program = NodeProgram(process)
    reading = asyncio.create_task(program.read())
    try:
        yield program
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
