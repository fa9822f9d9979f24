"""The checks of what lies already where storage shall be added: attached again, left alone, or in somebody's hands."""

from __future__ import annotations

from bot.domain.plan import Check
from bot.domain.storing import Holder, NfsFacts
from bot.domain.texts import Code, Value, many, say
from bot.domain.words import counted, first
from bot.operations.checks.grading import already, blocked, fine, warning
from bot.operations.storage_words import NAMED


def unheld(read: NfsFacts) -> tuple[str, ...]:
    """The storage that lies there and that no configured pool is known to hold (UUIDs)."""
    held = {one.sr for one in read.holders}
    return tuple(uuid for uuid in read.found if uuid not in held) if not read.unsure else ()


def again(read: NfsFacts, existing: str) -> Check:
    """Whether that storage (UUID) may be attached again."""
    key, title, uuid = "existing", "Storage there", Code(existing)
    if existing not in read.found:
        there = say("{found} does", found=many([Code(one) for one in read.found])) if read.found else say("none does")
        fact = say("{uuid} does not lie on {place}; {there}", uuid=uuid, place=read.place.shown, there=there)
        return blocked(key, title, fact, say("Leave {word} out to see what can be done.", word=Code("existing")))
    holder = next((one for one in read.holders if one.sr == existing), None)
    if holder is not None:
        pool, sr = holder.pool_name, holder.sr_name
        if holder.pool == read.pool.uuid:
            if holder.unplugged:
                return _to_be_plugged(read, holder)
            return already(key, title, say("{pool} has it attached as {sr}", pool=pool, sr=sr))
        fact = say("{pool} holds it as {sr}; two pools on one storage destroy it", pool=pool, sr=sr)
        return blocked(key, title, fact, say("Detach and forget it there first, with everything on it halted."))
    if read.unsure:
        fact = say("{pools} does not say whether it holds this storage", pools=many(read.unsure))
        fix = say("Ask again when every configured pool answers: {c}.", c=Code("/xen status"))
        return blocked(key, title, fact, fix)
    return fine(key, title, say("{uuid} lies there, and no configured pool holds it", uuid=uuid))


def _to_be_plugged(read: NfsFacts, holder: Holder) -> Check:
    names = {one.uuid: one.name for one in read.hosts}
    away = first([names.get(one, one) for one in holder.unplugged], NAMED)
    words = "{pool} knows it as {sr} already, not attached to {hosts}"
    fact = say(words, pool=holder.pool_name, sr=holder.sr_name, hosts=away)
    plug = Code(f"/xen plug {holder.sr} on {holder.unplugged[0]}")
    return blocked("existing", "Storage there", fact, say("Attach it there, one host after the other: {c}.", c=plug))


def beside(read: NfsFacts, *, anew: bool) -> Check:
    """That storage lies there, where a new one is to be made; `anew` tells that somebody has decided so."""
    key, title = "existing", "Storage there"
    there = first([_owned(uuid, read) for uuid in read.found], NAMED)
    n = counted(len(read.found), "storage lies", "storages lie")
    if anew:
        fact = say("{n} there already: {there}; the new one gets a folder of its own", n=n, there=there)
        return warning(key, title, fact)
    fix = say("Attach it again where no pool uses it, or make a new one beside it ({word}).", word=Code("beside"))
    return blocked(key, title, say("{n} there already: {there}", n=n, there=there), fix)


def _owned(uuid: str, read: NfsFacts) -> Value:
    holder = next((one for one in read.holders if one.sr == uuid), None)
    if holder is not None:
        return say("{sr} of {pool}", sr=holder.sr_name, pool=holder.pool_name)
    if read.unsure:
        return say("{uuid}, perhaps of {pools}, which does not say", uuid=Code(uuid), pools=many(read.unsure))
    return say("{uuid} of no configured pool", uuid=Code(uuid))
