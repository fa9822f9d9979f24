"""Whom somebody means by a name: one of the people whom the audit trail knows."""

from __future__ import annotations

import asyncio

from bot.commands import Journal
from bot.errors import Candidate
from bot.jobs.ports import Names
from bot.operations.lookalike import folded


class Acquaintances:
    """Implements `bot.commands.Acquaintances`."""

    def __init__(self, journal: Journal, names: Names) -> None:
        self._journal = journal
        self._names = names

    async def called(self, text: str) -> tuple[Candidate, ...]:
        """People of the trail by a name of theirs, in full before by its beginning; by id where it is written so."""
        wanted = folded(text.strip().removeprefix("@"))
        actors = await self._journal.actors()
        if text in actors:
            return (Candidate(text, text, ""),)
        named = await asyncio.gather(*(self._names.names(actor) for actor in actors))
        known = [(actor, names, [folded(name) for name in names]) for actor, names in zip(actors, named, strict=True)]
        exact = [(actor, names) for actor, names, forms in known if wanted in forms]
        begun = [
            (actor, names)
            for actor, names, forms in known
            if wanted and any(word.startswith(wanted) for form in forms for word in (form, *form.split()))
        ]
        return tuple(Candidate(actor, names[0], actor) for actor, names in exact or begun)
