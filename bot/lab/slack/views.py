"""Modals and the home tab: each person has a stack of at most three modals and one home view per app."""

import secrets
from typing import Any

import msgspec

from bot.lab.slack.clock import Clock
from bot.lab.slack.errors import ApiError
from bot.lab.slack.identity import make_id

Json = dict[str, Any]
_STACK = 3


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What the app gives when it opens or updates a view; checked and with ids filled in by ``blocks``."""

    type: str
    blocks: list[Json] = []
    title: Json | None = None
    submit: Json | None = None
    close: Json | None = None
    private_metadata: str = ""
    callback_id: str = ""
    external_id: str = ""
    clear_on_close: bool = False
    notify_on_close: bool = False
    submit_disabled: bool = False


class View(msgspec.Struct, frozen=True, kw_only=True):
    """An open view of one person: the definition, what the person entered so far and the errors shown.

    ``opened_in`` is the conversation in which the person was when the first view of the stack opened.
    """

    id: str
    person: str
    shown: Definition
    hash: str
    root_view_id: str
    previous_view_id: str | None = None
    opened_in: str | None = None
    entered: dict[str, dict[str, Json]] = {}
    errors: dict[str, str] = {}


class ViewStore:
    """All open views."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._views: dict[str, View] = {}
        self._stacks: dict[str, list[str]] = {}
        self._homes: dict[str, str] = {}

    def make_hash(self) -> str:
        """Return the value that changes with every update of a view."""
        return f"{int(self._clock.now())}.{secrets.token_urlsafe(6)[:8]}"

    def find(self, view_id: str) -> View | None:
        """Return an open view or a home view."""
        return self._views.get(view_id)

    def find_external(self, external_id: str) -> View | None:
        """Return the view that the app knows by its own id."""
        return next((view for view in self._views.values() if external_id == view.shown.external_id != ""), None)

    def stack(self, person: str) -> list[View]:
        """Return the person's open modals, topmost last."""
        return [self._views[view_id] for view_id in self._stacks.get(person, [])]

    def home(self, person: str) -> View | None:
        """Return the person's home view, if the app published one."""
        view_id = self._homes.get(person)
        return None if view_id is None else self._views[view_id]

    def open(self, person: str, shown: Definition, *, opened_in: str | None) -> View:
        """Open a modal, in the place of whatever modals were open."""
        self._check_external(shown, None)
        self.clear(person)
        view_id = make_id("V")
        view = View(
            id=view_id,
            person=person,
            shown=shown,
            hash=self.make_hash(),
            root_view_id=view_id,
            opened_in=opened_in,
        )
        self._views[view_id] = view
        self._stacks[person] = [view_id]
        return view

    def push(self, person: str, shown: Definition) -> View:
        """Put a modal on the open ones; ``push_limit_reached`` above three."""
        stack = self.stack(person)
        if not stack:
            raise ApiError("not_found")
        if len(stack) >= _STACK:
            raise ApiError("push_limit_reached")
        self._check_external(shown, None)
        view = View(
            id=make_id("V"),
            person=person,
            shown=shown,
            hash=self.make_hash(),
            root_view_id=stack[0].id,
            previous_view_id=stack[-1].id,
            opened_in=stack[-1].opened_in,
        )
        self._views[view.id] = view
        self._stacks[person].append(view.id)
        return view

    def update(self, view: View, shown: Definition, expected_hash: str | None = None) -> View:
        """Show something else in a view; what was entered stays where block and action keep their ids."""
        if expected_hash is not None and expected_hash != view.hash:
            raise ApiError("hash_conflict")
        self._check_external(shown, view.id)
        kept_ids = {block.get("block_id") for block in shown.blocks}
        entered = {block_id: values for block_id, values in view.entered.items() if block_id in kept_ids}
        changed = msgspec.structs.replace(view, shown=shown, hash=self.make_hash(), entered=entered, errors={})
        self._views[view.id] = changed
        return changed

    def publish(self, person: str, shown: Definition, expected_hash: str | None) -> View:
        """Set a person's home view."""
        found = self.home(person)
        if found is not None:
            return self.update(found, shown, expected_hash)
        view_id = make_id("V")
        view = View(id=view_id, person=person, shown=shown, hash=self.make_hash(), root_view_id=view_id)
        self._views[view_id] = view
        self._homes[person] = view_id
        return view

    def keep(self, view: View) -> None:
        """Store what changed on the person's side: entered values, shown errors."""
        if view.id in self._views:
            self._views[view.id] = view

    def close(self, view: View) -> None:
        """Close a modal and those above it."""
        stack = self._stacks.get(view.person, [])
        if view.id in stack:
            place = stack.index(view.id)
            for view_id in stack[place:]:
                del self._views[view_id]
            del stack[place:]

    def clear(self, person: str) -> None:
        """Close all modals of a person."""
        for view_id in self._stacks.pop(person, []):
            del self._views[view_id]

    def _check_external(self, shown: Definition, view_id: str | None) -> None:
        found = self.find_external(shown.external_id) if shown.external_id else None
        if found is not None and found.id != view_id:
            raise ApiError("duplicate_external_id")
