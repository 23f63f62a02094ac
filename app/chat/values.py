"""Conversations and their messages as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
State = Literal["complete", "streaming", "stopped", "failed"]

ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
STATES: tuple[State, ...] = ("complete", "streaming", "stopped", "failed")


@dataclass(frozen=True)
class Conversation:
    """One conversation; `leaf_id` is the last message of the branch that is shown, times are seconds since 1970.

    `deleted_at` is set while it lies in the trash.
    """

    id: int
    title: str
    model: str
    created_at: float
    updated_at: float
    leaf_id: int | None = None
    deleted_at: float | None = None


@dataclass(frozen=True)
class Message:
    """One message of the tree; the first of a conversation has no parent.

    `details` is what else there is to keep as JSON: reasoning, usage, timings, the model, an error.
    """

    id: int
    conversation_id: int
    parent_id: int | None
    role: Role
    text: str
    state: State
    created_at: float
    details: Mapping[str, Any] = field(default_factory=dict)
