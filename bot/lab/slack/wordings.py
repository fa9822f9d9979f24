"""What a person's client shows when an app does not answer.

Slack changes these texts between client versions, so they stand in this one table. The app's work may go on:
"failed" to the person is not "not done".
"""

import msgspec


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A line that only one person sees and that is in no history."""

    person: str
    channel: str | None
    at: float
    kind: str
    text: str


NO_VIEW_ANSWER = "We had some trouble connecting. Try again?"
NO_CONTROL_ANSWER = "The app did not respond: a warning sign stands by the control and the message is unchanged."
NO_OPTIONS = "Result not available: the app did not respond."
REQUIRED_FIELD = "Please complete this required field."


def word_failed_command(command: str) -> str:
    """Return the line for a command that nobody acked within three seconds, or that no socket took."""
    return f'{command} failed with the error "dispatch_failed"'


def word_unknown_command(command: str) -> str:
    """Return Slackbot's line for a command that no app owns."""
    return f"{command} is not a valid command. To see a list of commands, type / in the message box."


def word_command_in_thread(command: str) -> str:
    """Return the line for a custom slash command typed in a thread, which Slack does not allow."""
    return f"{command} is not supported in threads. Sorry."
