"""What a person's client shows when an app does not answer.

Slack changes these texts between client versions, so they stand in this one table. The app's work may go on:
"failed" to the person is not "not done".
"""

import msgspec

from bot.lab.slack.courier import NoAnswer


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
NO_SHORTCUT_ANSWER = "The app did not respond to the shortcut."
NO_BOT_COMMANDS = "Bot users cannot use slash commands."
REQUIRED_FIELD = "Please complete this required field."


def word_failed_command(command: str, problem: NoAnswer) -> str:
    """Return the line for a command that got no answer.

    Socket Mode knows one error for everything; over HTTP a late answer and a bad status have their own.
    """
    error = "dispatch_failed"
    if problem.by_http:
        error = {"timeout": "operation_timeout", "refused": "dispatch_unknown_error"}.get(problem.reason, error)
    return f'{command} failed with the error "{error}"'


def word_unknown_command(command: str) -> str:
    """Return Slackbot's line for a command that no app owns."""
    return f"{command} is not a valid command. To see a list of commands, type / in the message box."


def word_command_in_thread(command: str) -> str:
    """Return the line for a custom slash command typed in a thread, which Slack does not allow."""
    return f"{command} is not supported in threads. Sorry."
