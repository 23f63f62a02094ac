"""A conversation as Markdown to read, or as JSON that loses nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from app.chat.values import Conversation, Message

_SPEAKERS = {"system": "System", "user": "You", "assistant": "Answer", "tool": "Tool"}


def to_markdown(conversation: Conversation, messages: Sequence[Message]) -> str:
    """Return one branch of a conversation as Markdown; the messages' own Markdown is kept as it is."""
    began = datetime.fromtimestamp(conversation.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    about = f"{began}, {conversation.model}" if conversation.model else began
    parts = [f"# {conversation.title or 'Conversation'}", about]
    for message in messages:
        state = "" if message.state == "complete" else f" ({message.state})"
        parts += [f"## {_SPEAKERS[message.role]}{state}", message.text.strip()]
    return "\n\n".join(parts) + "\n"


def to_json(conversation: Conversation, messages: Sequence[Message]) -> str:
    """Return a conversation and messages of it (a branch, or all) as JSON, every field included."""
    document: dict[str, Any] = {
        "format": "pronk-conversation",
        "version": 1,
        "conversation": asdict(conversation),
        "messages": [asdict(message) for message in messages],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
