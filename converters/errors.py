"""The failures that a conversion reports, each with a kind, a message and a hint for its user."""

from typing import ClassVar


class ConvertError(Exception):
    """A failure that the user can act on: what failed, and what to do about it."""

    kind: ClassVar[str] = "bug"

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _one_line(message)
        super().__init__(self.message)
        self.hint = hint


def _one_line(message: str) -> str:
    """Replace what would break or disguise the line: a message may quote a name out of the checkpoint."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in message)[
        :1000
    ]


class BadCheckpoint(ConvertError):
    """A file of the checkpoint is missing, cut short or lies about itself."""

    kind = "bad_file"


class Unreadable(BadCheckpoint):
    """A file of the checkpoint could be read at first, and then no more."""


class UnsupportedModel(ConvertError):
    """The checkpoint is sound, but nothing here knows how to convert it."""

    kind = "unsupported_model"


class BadRequest(ConvertError):
    """What was asked for makes no sense: a type, a folder or an output that cannot be."""

    kind = "bad_request"


class NotYet(ConvertError):
    """A part of the contract that is accepted, and not built yet."""

    kind = "not_yet"


class NotEnoughDisk(ConvertError):
    """The disk is too small for the output, or became full while writing."""

    kind = "disk"


class NotEnoughMemory(ConvertError):
    """The computer's memory is too small for the conversion."""

    kind = "memory"


class Busy(ConvertError):
    """Another conversion is writing the same file."""

    kind = "busy"


class Cancelled(ConvertError):
    """The user, or the end of the parent process, stopped the conversion."""

    kind = "cancelled"

    def __init__(self) -> None:
        super().__init__("The conversion was cancelled.")


class EngineFailed(ConvertError):
    """llama.cpp's library is missing, or refused or ended on something that it was asked."""

    kind = "engine"
