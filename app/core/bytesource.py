"""Where bytes of a model come from: a file here, or ranges of one far away."""

from pathlib import Path
from typing import Protocol

from app.core.errors import BadFile


class ByteSource(Protocol):
    """Random access to the bytes of one file."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    @property
    def size_bytes(self) -> int:
        """The whole file's length."""

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end of the file."""


class FileSource:
    """A local file as a ByteSource; close it, or use it in a with statement."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("rb")
            self._size_bytes = path.stat().st_size
        except OSError as error:
            raise BadFile(
                f"Cannot open {path} ({error.strerror or error}).", hint="Check the path and its permissions."
            ) from error

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    @property
    def size_bytes(self) -> int:
        """The file's length when it was opened."""
        return self._size_bytes

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        self._file.seek(offset)
        return self._file.read(length)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "FileSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
