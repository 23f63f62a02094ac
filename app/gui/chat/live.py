"""An answer that is being written, whether its conversation is on the screen or not."""

from dataclasses import dataclass, field

from app.chat.values import Message
from app.gui.tasks import Task


@dataclass
class LiveAnswer:
    """What has come so far, so that the page can be left and come back to."""

    visit: int
    """Which visit of the page asked for it."""

    task: Task | None = None
    conversation_id: int | None = None
    message: Message | None = None
    draft: str = ""
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    asked: bool = False
    """An engine has been asked for it."""

    waiting: bool = True
    """No word of the prompt is read yet: the engine loads, or is busy."""
