"""What a message shows, read from what its sender gave: text, blocks, attachments and metadata."""

import json
from typing import Any

import msgspec

from bot.lab.slack.arguments import Args
from bot.lab.slack.blocks import complete_attachment_blocks, complete_message_blocks
from bot.lab.slack.errors import ApiError

Json = dict[str, Any]

LONGEST_TEXT = 40_000
_METADATA_BYTES = 16_384


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a message shows; blocks are checked and complete."""

    text: str = ""
    blocks: list[Json] = []
    attachments: list[Json] = []
    metadata: Json | None = None


def read_content(args: Args) -> Content:
    """Return what a message shows; ``no_text`` when it shows nothing.

    ``markdown_text`` excludes text and blocks; text above 40,000 characters is cut, as Slack does.
    """
    blocks = complete_message_blocks(args.json("blocks", "invalid_blocks_format") or [])
    attachments = read_attachments(args)
    text = args.text("text")
    if "markdown_text" in args:
        if text or blocks:
            raise ApiError("markdown_text_conflict")
        blocks = complete_message_blocks([{"type": "markdown", "text": args.text("markdown_text")}])
    if not (text or blocks or attachments):
        raise ApiError("no_text")
    return Content(text=text[:LONGEST_TEXT], blocks=blocks, attachments=attachments, metadata=read_metadata(args))


def read_attachments(args: Args) -> list[Json]:
    """Return the attachments of a message, at most a hundred objects."""
    attachments = args.json("attachments") or []
    if not isinstance(attachments, list) or not all(isinstance(each, dict) for each in attachments):
        raise ApiError("invalid_arguments")
    if len(attachments) > 100:
        raise ApiError("too_many_attachments")
    return complete_attachment_blocks(attachments)


def read_metadata(args: Args) -> Json | None:
    """Return the metadata of a message, None when there is none or it is empty."""
    metadata = args.json("metadata", "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata, dict):
        raise ApiError("invalid_metadata_format")
    # Work objects come alone or beside an event.
    is_entities = isinstance(metadata.get("entities"), list) and "event_type" not in metadata
    is_event = isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict)
    if not (is_event or is_entities):
        raise ApiError("invalid_metadata_schema")
    if len(json.dumps(metadata).encode()) > _METADATA_BYTES:
        raise ApiError("metadata_too_large")
    return metadata
