"""Every error a user may meet, cut by what can be done about it.

A child process sends an error as an event (kind, message, hint); `from_event` turns it back into its type.
Whatever is not an AppError and not Cancelled is a bug.
"""

from typing import ClassVar


class AppError(Exception):
    """An error the user can act on: what failed, and in `hint` what to do."""

    kind: ClassVar[str] = "bug"

    def __init__(self, message: str, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail

    def as_event(self) -> dict[str, str]:
        """Return the fields that a failed event and --json carry."""
        return {"kind": self.kind, "message": self.message, "hint": self.hint}


class NetworkError(AppError):
    """A host did not answer, or answered with a fault."""

    kind = "network"


class NotEnoughDisk(AppError):
    """A folder lacks room or cannot be written."""

    kind = "disk"


class NotEnoughMemory(AppError):
    """The model does not fit into the memory that is free."""

    kind = "memory"


class BadFile(AppError):
    """A file is missing, damaged or not what it claims to be."""

    kind = "bad_file"


class UnsupportedModel(AppError):
    """The model is whole, but nothing here knows its kind."""

    kind = "unsupported_model"


class EngineFailed(AppError):
    """llama.cpp, or the process it runs in, failed."""

    kind = "engine"


class BadRequest(AppError):
    """What was asked for contradicts itself or is out of range."""

    kind = "bad_request"


class Busy(AppError):
    """Another process holds what is needed."""

    kind = "busy"


class NotYet(AppError):
    """A thing that this version does not do."""

    kind = "not_yet"


class Bug(AppError):
    """A fault in Pronk itself."""

    kind = "bug"


class Cancelled(Exception):
    """The user called the work off; never shown as a failure."""

    kind: ClassVar[str] = "cancelled"


_KINDS: dict[str, type[AppError]] = {
    error.kind: error
    for error in (
        NetworkError,
        NotEnoughDisk,
        NotEnoughMemory,
        BadFile,
        UnsupportedModel,
        EngineFailed,
        BadRequest,
        Busy,
        NotYet,
        Bug,
    )
}


def from_event(kind: str, message: str, hint: str = "", detail: str = "") -> AppError | Cancelled:
    """Turn the fields of a failed event back into the error they came from; an unknown kind is a Bug."""
    if kind == Cancelled.kind:
        return Cancelled(message)
    return _KINDS.get(kind, Bug)(message, hint, detail)
