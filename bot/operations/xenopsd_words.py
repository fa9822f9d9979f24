"""XAPI's internal errors in words, as far as what is printed in them tells what happened.

Such an error holds an exception of the domain manager (xenopsd) or of XAPI itself as its program prints it; the same
trouble has had several names over the years, so only a telling part of each is looked for.
"""

from __future__ import annotations

from typing import Final

from bot.domain.texts import Code, Phrase, say

_DOMAIN_MANAGER: Final = "xenopsd internal error: "
# A telling part, and what it means. The first that is found counts.
_MEANINGS: Final = (
    ("End_of_file", "the other side went away in the middle of the work"),
    ("ECONNRESET", "the connection between the hosts was cut"),
    ("Connection reset", "the connection between the hosts was cut"),
    ("EPIPE", "the connection between the hosts was cut"),
    ("Broken pipe", "the connection to another service of the host was cut"),
    ("ECONNREFUSED", "the other host takes no connections for it"),
    ("connection refused", "the other host takes no connections for it"),
    ("EHOSTUNREACH", "the other host cannot be reached over the network"),
    ("ETIMEDOUT", "the other host did not answer in time"),
    ("Remote_failed", "the other host could not take the guest in"),
    ("Cannot_free_this_much_memory", "the host could not free enough memory"),
    ("Domains_refused_to_cooperate", "guests did not give memory back when asked"),
    ("Emu_manager", "the memory of the guest could not be sent or taken in"),
    ("Xenguest", "the memory of the guest could not be sent or taken in"),
    ("Domain_stuck_in_dying_state", "what was left of the guest on its old host cannot be removed"),
    ("Failed_to_acknowledge_suspend", "the guest did not answer the request to pause for its last pages"),
    ("Failed_to_suspend", "the guest did not pause for its last pages"),
    ("does not exist in xenopsd", "the host does not know the guest any more"),
    ("Does_not_exist", "the host does not know the guest any more"),
    ("Illegal_transition", "a disk is still attached elsewhere, or was not let go"),
    ("Bad_error", "the boot loader found nothing to boot from"),
    ("PCI.Cannot_add", "a PCI device of the host could not be given to the guest"),
    ("Ioemu_failed", "the emulated devices of the guest did not start"),
    ("still resident", "guests are left on the host"),
    ("Timeout", "it took longer than the host waits for it"),
)


def internal(printed: str) -> Phrase:
    """What an INTERNAL_ERROR means, as half a sentence, with the words of the server behind it for whoever searches."""
    meaning = next((words for part, words in _MEANINGS if part in printed), "")
    if meaning:
        return say("{meaning} (XAPI: {printed})", meaning=say(meaning), printed=Code(printed))
    if printed.startswith(_DOMAIN_MANAGER):
        rest = printed.removeprefix(_DOMAIN_MANAGER)
        return say("the host's domain manager failed with {printed}", printed=Code(rest))
    return say("XAPI had an internal error: {printed}", printed=Code(printed))
