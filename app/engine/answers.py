"""Answers in OpenAI's shapes: chunks of a stream, and whole documents."""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]

DONE = b"data: [DONE]\n\n"


class AnswerShape:
    """Makes the chunks and the document of one answer, for chat or for plain completions."""

    def __init__(self, model: str, chat: bool) -> None:
        self._chat = chat
        self._head = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        # What every chunk of text has in common is written once: a chunk costs microseconds.
        before, after = self._chunk_bytes({"content": "\0"} if chat else "\0").split(rb'"\u0000"')
        self._before_text, self._after_text = before, after

    def text(self, text: str) -> bytes:
        """Return a chunk of answer text."""
        return self._before_text + json.dumps(text).encode() + self._after_text

    def role(self) -> bytes:
        """Return the first chunk, b"" where there is none."""
        return self._chunk_bytes({"role": "assistant", "content": ""}) if self._chat else b""

    def reasoning(self, text: str) -> bytes:
        """Return a chunk of reasoning text."""
        return self._chunk_bytes({"reasoning_content": text})

    def progress(self, done_tokens: int, total_tokens: int) -> bytes:
        """Return a chunk without text that tells how far the prompt is read."""
        more = {"prompt_progress": {"done_tokens": done_tokens, "total_tokens": total_tokens}}
        return self._chunk_bytes({} if self._chat else "", None, more)

    def end(self, event: Event, usage_apart: bool) -> bytes:
        """Return the last chunks: why it ended, usage and timings (in a chunk of their own when asked for)."""
        figures = {"usage": event.get("usage"), "timings": event.get("timings")}
        empty: Any = {} if self._chat else ""
        if not usage_apart:
            return self._chunk_bytes(empty, event["finish_reason"], figures) + DONE
        last = _data({**self._head, "choices": [], **figures})
        return self._chunk_bytes(empty, event["finish_reason"]) + last + DONE

    def document(self, text: str, reasoning: str, event: Event) -> dict[str, Any]:
        """Return a whole answer."""
        if self._chat:
            message = {"role": "assistant", "content": text}
            if reasoning:
                message["reasoning_content"] = reasoning
            choice: dict[str, Any] = {"index": 0, "message": message}
        else:
            choice = {"index": 0, "text": text, "logprobs": None}
        choice["finish_reason"] = event["finish_reason"]
        return {
            **self._head,
            "object": "chat.completion" if self._chat else "text_completion",
            "choices": [choice],
            "usage": event.get("usage"),
            "timings": event.get("timings"),
        }

    def _chunk_bytes(self, delta: Any, finish_reason: str | None = None, more: Event | None = None) -> bytes:
        part = {"delta": delta} if self._chat else {"text": delta, "logprobs": None}
        choice = {"index": 0, **part, "finish_reason": finish_reason}
        return _data({**self._head, "choices": [choice], **(more or {})})


def error_chunk(document: Mapping[str, Any]) -> bytes:
    """Return the chunk that ends a stream with an error."""
    return _data(document)


def _data(document: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"
