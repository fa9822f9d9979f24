"""What everyone who could have approved a job is told when it runs without approval. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.message import Facts, Mark, Message, Verdict
from bot.domain.record import JobRecord
from bot.domain.texts import Code, Quote, Who, many, say
from bot.domain.words import at_card


def glass_broken(record: JobRecord, person: str, told: Sequence[str], reason: str) -> Message:
    """The alarm to everyone who could have approved the job."""
    headline = say("Glass broken: {title}", title=record.plan.title)
    lines = [
        say(
            "{who} runs job {n} without approval, at {risk} risk.",
            who=Who(person),
            n=record.number,
            risk=record.plan.risk.value,
        ),
        say("Reason given: “{reason}”", reason=Quote(reason)),
    ]
    if told:
        lines.append(say("Told: {who}, who could have approved it.", who=many([Who(one) for one in told])))
    look, stop = Code(f"/xen job {record.number}"), Code(f"/xen cancel {record.number}")
    lines.append(say("{look} shows what runs; {stop} stops it.", look=look, stop=stop))
    lines += at_card(record)
    beside = say("job {number}", number=record.number)
    return Message(headline, (Verdict(headline, (beside,), Mark.ATTENTION), Facts(tuple(lines))))
