"""Moves records from the database of one pool to that of another: what a join brings and an eject takes away."""

from collections.abc import Mapping
from typing import Final

from bot.lab.xapi.database import LINKS, Database
from bot.lab.xapi.schema.model import CLASSES, FieldType
from bot.lab.xapi.values import NULL_REF, Value, new_ref

# Lists that the database keeps by itself, from the other end of their links.
_KEPT_LISTS: Final = frozenset(LINKS.values())


def transplant(source: Database, target: Database, wanted: Mapping[str, list[str]], known: dict[str, str]) -> None:
    """Copies records with fresh references; the UUIDs stay.

    Args:
        source: Where they are.
        target: Where they come to.
        wanted: References by class.
        known: What references of the source are called in the target already; the copies are added to it.
            References to anything else become null.
    """
    for refs in wanted.values():
        known.update({ref: new_ref() for ref in refs})
    for class_name in CLASSES:
        for ref in wanted.get(class_name, ()):
            fields = {
                name: _translate(CLASSES[class_name].fields[name].type, value, known)
                for name, value in source.record(class_name, ref).items()
                if (class_name, name) not in _KEPT_LISTS
            }
            target.create(class_name, ref=known[ref], **fields)
    _link_lists(target, wanted, known)


def _link_lists(target: Database, wanted: Mapping[str, list[str]], known: dict[str, str]) -> None:
    """Fills the lists whose members were made after their owners."""
    for (class_name, name), (other_class, list_name) in LINKS.items():
        for ref in wanted.get(class_name, ()):
            other = target.get(class_name, known[ref], name)
            if target.has(other_class, other) and known[ref] not in target.get(other_class, other, list_name):
                listed = target.get(other_class, other, list_name)
                target.set(other_class, other, **{list_name: [*listed, known[ref]]})


def _translate(kind: FieldType, value: Value, known: dict[str, str]) -> Value:
    if kind.kind == "ref":
        return known.get(value, NULL_REF)
    if kind.kind == "set":
        return [item for item in (_translate(kind.of[0], one, known) for one in value) if item != NULL_REF]
    if kind.kind == "map":
        key_type, item_type = kind.of
        return {_translate(key_type, key, known): _translate(item_type, item, known) for key, item in value.items()}
    return value
