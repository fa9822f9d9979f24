"""The work of a verification: reading an archive again, and keeping what was found beside it and in the catalogue."""

from __future__ import annotations

from bot.domain.texts import say
from bot.operations.archive_ports import Catalogue, Library
from bot.operations.verify import SAMPLE, VERIFY, asked
from bot.operations.work import Errand, Reached, Worker


class VerifyWork:
    """The worker of a verification."""

    def __init__(self, library: Library, catalogue: Catalogue) -> None:
        self._library = library
        self._catalogue = catalogue

    def workers(self) -> dict[str, Worker]:
        """By the name that plans call it by."""
        return {VERIFY: Worker(self._verify, again=True, tasked=False)}

    async def _verify(self, errand: Errand) -> None:
        identity, how, _ = asked(errand.step)
        phase = say("reading again")

        def reached(done: int, total: int) -> None:
            errand.tell(Reached(done, total, phase))

        found = await self._library.check(identity, how, SAMPLE, errand.who, reached)
        await self._catalogue.verified_backup(found, errand.job)
