"""What to tell of hosts and pools that do not answer, or answer again: pure, from what is seen and what was told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from bot.domain.absence import Absence, Key, Missing
from bot.domain.inventory import FeedState, Host, PoolView
from bot.domain.message import Message
from bot.jobs.absence_picture import Heard, Picture, Quiet
from bot.operations import absence_words, return_words


class Patience(msgspec.Struct, frozen=True):
    """For how long what is waited for, in seconds.

    A host is told after `silent` seconds, a pool that cannot be asked after `pool`. What falls silent or comes back at
    nearly the same time is waited for (`gather`), to be told in one message. Guests get `grace` to come back after
    their host takes guests again; a host that does not take any is told to be back after `disabled` seconds. The same
    is not told to be silent again within `repeat` seconds: long enough for what goes on and off, short enough for a
    host that is lost for good the second time.
    """

    silent: float = 30.0
    pool: float = 60.0
    gather: float = 20.0
    grace: float = 120.0
    disabled: float = 600.0
    repeat: float = 900.0


PATIENCE = Patience()


class News(msgspec.Struct, frozen=True):
    """What to remember and what to tell, together or not at all. Without a message it is only remembered."""

    message: Message | None = None
    began: tuple[Absence, ...] = ()
    ended: tuple[Absence, ...] = ()
    forgotten: tuple[Absence, ...] = ()


class Judge:
    """What one look has to tell.

    `known` is what was told so far, `muted` kinds and UUIDs ("" for all) that nobody wants to hear of, `joining` the
    hosts (UUIDs) that jobs of the bot let join a pool: their toolstacks restart. `now` in Unix seconds.
    """

    def __init__(
        self,
        views: Sequence[PoolView],
        picture: Picture,
        known: Sequence[Absence],
        patience: Patience,
        now: float,
        *,
        muted: Collection[tuple[str, str]] = (),
        joining: Collection[str] = (),
    ) -> None:
        self._views = views
        self._seen = picture
        self._open: dict[Key, Absence] = {one.key: one for one in known if one.ended_at is None}
        self._past: dict[Key, Absence] = {one.key: one for one in known if one.ended_at is not None}
        self._patience = patience
        self._now = now
        self._muted = muted
        self._joining = joining

    def news(self) -> Iterator[News]:
        """All of it, in order."""
        names = {view.name for view in self._views}
        # A host that has joined a pool leaves no pool of its own; one that was taken out of the configuration is gone.
        gone = tuple(one for one in self._open.values() if one.kind is not Missing.ALL and one.pool not in names)
        if gone:
            yield News(forgotten=gone)
        everything = self._open.get((Missing.ALL, "", ""))
        if everything is not None:
            yield from self._all_back(everything)
            return
        fresh = self._nothing_answers()
        if fresh:
            yield from self._all_gone(fresh)
            return
        for view in self._views:
            row = self._open.get((Missing.POOL, view.name, ""))
            if view.state is not FeedState.LIVE:
                yield from self._pool_gone(view) if row is None else ()
            elif row is not None:
                yield from self._pool_back(view, row)
            else:
                yield from self._hosts_gone(view)
                yield from self._hosts_back(view)

    # Everything

    def _nothing_answers(self) -> list[PoolView]:
        """The pools not told yet, where no host of any pool answers and several fell silent at nearly the same time."""
        if any(_answers(view) for view in self._views):
            return []
        fresh = [view for view in self._views if (Missing.POOL, view.name, "") not in self._open]
        fresh = [view for view in fresh if not self._joins(view)]
        began = [self._seen.lost[view.name].seen for view in fresh]
        together = len(fresh) > 1 and max(began) - min(began) <= self._patience.pool
        return fresh if together else []

    def _all_gone(self, fresh: Sequence[PoolView]) -> Iterator[News]:
        quiet = [self._seen.lost[view.name] for view in fresh]
        key = (Missing.ALL, "", "")
        if not all(self._lasts(one, self._patience.pool) for one in quiet) or self._held_back(key):
            return
        since = min(one.since for one in quiet)
        guests = tuple(guest for one in quiet for guest in one.guests)
        row = Absence(Missing.ALL, "", "", "", since, self._now, guests)
        yield News(absence_words.all_gone([view.name for view in fresh], since), (row,))

    def _all_back(self, row: Absence) -> Iterator[News]:
        back = [one for one in self._seen.live.values() if self._steady(one)]
        if not back or self._coming(row):
            return
        away = [view for view in self._views if view.state is not FeedState.LIVE and not self._joins(view)]
        began = [self._pool_row(view) for view in away if (Missing.POOL, view.name, "") not in self._open]
        silent: list[str] = []
        for view in self._views:
            if view.state is FeedState.LIVE:
                began += self._silent_rows(view)
                silent += [host.name for host in view.hosts if self._is_away(host)]
        at = min(one.at for one in back)
        fates = return_words.fates(row.guests, self._views)
        message = return_words.all_back(row, at, [view.name for view in away], silent, fates)
        yield self._over(message, (row,), at, tuple(began))

    # Pools

    def _pool_gone(self, view: PoolView) -> Iterator[News]:
        quiet, key = self._seen.lost[view.name], (Missing.POOL, view.name, "")
        if not self._lasts(quiet, self._patience.pool) or self._joins(view) or self._held_back(key, _uuid(view)):
            return
        nothing_else = not any(_answers(one) for one in self._views)
        message = absence_words.pool_gone(
            view, quiet.since, quiet.guests, self._past.get(key), nothing_else=nothing_else
        )
        yield News(message, (self._pool_row(view),))

    def _pool_row(self, view: PoolView) -> Absence:
        quiet = self._seen.lost[view.name]
        return Absence(Missing.POOL, view.name, "", view.name, quiet.since, self._now, quiet.guests)

    def _pool_back(self, view: PoolView, row: Absence) -> Iterator[News]:
        live = self._seen.live[view.name]
        if not self._steady(live) or self._coming(row):
            return
        began = self._silent_rows(view)
        silent = [host.name for host in view.hosts if self._is_away(host)]
        message = return_words.pool_back(view, row, live.at, silent, return_words.fates(row.guests, self._views))
        yield self._over(message, (row,), live.at, tuple(began), _uuid(view))

    def _silent_rows(self, view: PoolView) -> list[Absence]:
        """The hosts that are still silent, as told with the message that their pool is back."""
        silent = [host for host in view.hosts if self._is_away(host)]
        return [self._host_row(view, host) for host in silent if (Missing.HOST, view.name, host.uuid) not in self._open]

    # Hosts

    def _hosts_gone(self, view: PoolView) -> Iterator[News]:
        silent = [(host, self._seen.silent[host.uuid]) for host in view.hosts if self._is_news(view, host)]
        due = [one for one in silent if self._lasts(one[1], self._patience.silent)]
        if not due:
            return
        oldest = min(quiet.seen for _, quiet in due)
        late = self._seen.awake - oldest >= self._patience.silent + self._patience.gather
        if len(due) < len(silent) and not late:
            return
        rows = tuple(self._host_row(view, host) for host, _ in due)
        earlier = [self._past[row.key] for row in rows if row.key in self._past]
        yield News(absence_words.hosts_gone(view, [host for host, _ in due], rows, earlier), rows)

    def _is_news(self, view: PoolView, host: Host) -> bool:
        key = (Missing.HOST, view.name, host.uuid)
        return self._is_away(host) and key not in self._open and not self._held_back(key, host.uuid, host.pool)

    def _is_away(self, host: Host) -> bool:
        """Whether it is silent and nobody planned that."""
        quiet = self._seen.silent.get(host.uuid)
        # Whoever reads the live feed of a pool is answered by its coordinator.
        if quiet is None or host.coordinator or host.uuid in self._joining:
            return False
        # Emptied on purpose: somebody works on it.
        return host.enabled or bool(quiet.guests)

    def _host_row(self, view: PoolView, host: Host) -> Absence:
        quiet = self._seen.silent[host.uuid]
        return Absence(Missing.HOST, view.name, host.uuid, host.name, quiet.since, self._now, quiet.guests)

    def _hosts_back(self, view: PoolView) -> Iterator[News]:
        hosts = {host.uuid: host for host in view.hosts}
        rows = [one for one in self._open.values() if one.kind is Missing.HOST and one.pool == view.name]
        gone = tuple(one for one in rows if one.about not in hosts)
        if gone:
            yield News(forgotten=gone)
        heard = [(one, self._seen.heard[one.about]) for one in rows if one.about in self._seen.heard]
        done = [pair for pair in heard if self._settled(pair[1])]
        if not done:
            return
        late = any(self._seen.awake - (one.ready or one.seen) >= self._longest for _, one in done)
        if len(done) < len(heard) and not late:
            return
        back = [(hosts[row.about], row, one.at) for row, one in done]
        guests = tuple(guest for row, _ in done for guest in row.guests)
        message = return_words.hosts_back(view, back, return_words.fates(guests, self._views))
        at = max(one.at for _, one in done)
        yield self._over(message, tuple(row for row, _ in done), at, (), _uuid(view))

    @property
    def _longest(self) -> float:
        return self._patience.grace + self._patience.gather

    # What all have in common

    def _over(
        self,
        message: Message,
        rows: tuple[Absence, ...],
        at: float,
        began: tuple[Absence, ...] = (),
        pool: str = "",
    ) -> News:
        """The end of absences; not told where somebody has muted them meanwhile, nor what goes on then as told with it.

        The guests are of interest until then only.
        """
        ended = tuple(msgspec.structs.replace(row, ended_at=max(at, row.since), guests=()) for row in rows)
        heard = any(not self._is_muted(row.kind, row.about, pool) for row in rows)
        return News(message, began, ended) if heard else News(None, (), ended)

    def _lasts(self, quiet: Quiet, seconds: float) -> bool:
        return self._seen.awake - quiet.seen >= seconds

    def _steady(self, heard: Heard) -> bool:
        return self._seen.awake - heard.seen >= self._patience.grace

    def _settled(self, heard: Heard) -> bool:
        """Whether guests had their time to come back, or the host takes none for long."""
        ready = heard.ready is not None and self._seen.awake - heard.ready >= self._patience.grace
        return ready or self._seen.awake - heard.seen >= self._patience.disabled

    def _coming(self, row: Absence) -> bool:
        """Whether hosts that its guests ran on answer again and are not settled yet."""
        ran = {guest.host for guest in row.guests}
        return any(not self._settled(one) for uuid, one in self._seen.heard.items() if uuid in ran)

    def _joins(self, view: PoolView) -> bool:
        """Whether its only hosts are those that leave it for another pool just now."""
        return bool(view.hosts) and all(host.uuid in self._joining for host in view.hosts)

    def _held_back(self, key: Key, *about: str) -> bool:
        past = self._past.get(key)
        # Where the clock was set back in between, nobody knows how long ago that was.
        lately = past is not None and 0.0 <= self._now - past.told_at < self._patience.repeat
        return lately or self._is_muted(key[0], *about)

    def _is_muted(self, kind: Missing, *about: str) -> bool:
        return any((kind.value, one) in self._muted for one in {"", *about})


def _answers(view: PoolView) -> bool:
    """Whether anybody there answers, or was not asked yet."""
    heard = any(one.silent_since is None for one in view.members)
    return heard or view.state is FeedState.LIVE or not view.members


def _uuid(view: PoolView) -> str:
    return view.pool.uuid if view.pool is not None else ""
