"""What the engine's client is asked with and what it tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ChatOptions:
    """How an answer is made; None leaves the choice to the engine."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class PromptRead:
    """So much of the prompt is read."""

    done_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class TextArrived:
    """More of the answer."""

    text: str


@dataclass(frozen=True)
class ReasoningArrived:
    """More of the thinking before the answer."""

    text: str


ChatEvent = PromptRead | TextArrived | ReasoningArrived


@dataclass(frozen=True)
class Answer:
    """A whole answer. finish_reason: "stop", "length", or "cancelled" (the text is what came until then)."""

    text: str
    reasoning: str
    finish_reason: str
    usage: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, Any] = field(default_factory=dict)
