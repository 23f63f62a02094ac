"""The header of a GGUF file on a hub, without the rest: read in a few growing ranges, kept for the next time.

What is kept is a file as long as the model, with the header at its start and a hole behind it, so that whatever reads
headers reads it like any model. It must never be loaded: its weights are zeros.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from app.core.errors import BadFile, NetworkError, NotEnoughDisk
from app.core.json_text import parse_json
from app.core.sparse import write_sparse
from app.hub.http import Answer, request
from app.hub.names import RemoteFile, parts_of

MIB = 2**20
STEPS_BYTES = (1 * MIB, 4 * MIB, 16 * MIB)
"""How much is known after each request; a header is complete after one or two, with large vocabularies three."""

PATIENCE_S, SLOWEST_BYTES_PER_S = 15.0, 8000
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", re.ASCII)

ReadHeader = Callable[["RemoteSource"], object]
"""Reads a header from a source, as far as it goes; raises BadFile when it is none."""


@dataclass(frozen=True)
class _Known:
    """What is noted beside a kept header."""

    url: str
    etag: str
    size_bytes: int


class RemoteSource:
    """The beginning of a remote file as a source of bytes; more is fetched as it is read, up to 16 MiB."""

    def __init__(self, file: RemoteFile) -> None:
        """Fetch the first MiB; raises NetworkError."""
        self._file = file
        self._whole_answer = False
        self.data = b""
        self.etag = ""
        self.size_bytes = 0
        self._fetch()

    @property
    def name(self) -> str:
        """The file's name on the hub."""
        return self._file.name

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; raises BadFile past 16 MiB, NetworkError."""
        end = min(offset + length, self.size_bytes)
        while len(self.data) < end:
            if self._whole_answer or len(self.data) >= STEPS_BYTES[-1]:
                raise self._too_long()
            self._fetch()
        return self.data[offset:end]

    def _too_long(self) -> BadFile:
        reason = "the server sends no parts of files" if self._whole_answer else "that is as far as Pronk reads"
        return BadFile(
            f"The header of {self.name} is longer than {len(self.data) / MIB:.0f} MiB, and {reason}.",
            hint="Download the file, then name it by its path.",
        )

    def _fetch(self) -> None:
        start = len(self.data)
        end = next(step for step in STEPS_BYTES if step > start)
        with request(self._file, "GET", {"Range": f"bytes={start}-{end - 1}"}) as answer:
            self._take(answer, start, end)

    def _take(self, answer: Answer, start: int, end: int) -> None:
        if answer.status != 206:
            # The whole file comes: only its beginning is read, and there is no way to ask for more of it.
            self._whole_answer, start, end = True, 0, STEPS_BYTES[-1]
        size_bytes = _size_of(answer, start)
        if start and (answer.etag, size_bytes) != (self.etag, self.size_bytes):
            raise NetworkError(f"{self.name} changed while it was read.", hint="Try again.")
        self.etag, self.size_bytes = answer.etag, size_bytes
        wanted = min(end, size_bytes) - start
        got = self._read(answer, wanted)
        if len(got) < wanted:
            raise NetworkError(f"The connection broke while {self.name} was read.", hint="Try again.")
        self.data = self.data[:start] + got

    def _read(self, answer: Answer, wanted: int) -> bytes:
        """Read so many bytes, fewer where they end; a server that sends a byte now and then is given up."""
        parts, got, start_s = list[bytes](), 0, time.monotonic()
        while got < wanted and (part := answer.body.read1(wanted - got)):
            parts.append(part)
            got += len(part)
            if time.monotonic() - start_s > PATIENCE_S + got / SLOWEST_BYTES_PER_S:
                raise NetworkError(f"{self.name} comes too slowly.", hint="Check the connection, then try again.")
        return b"".join(parts)


def _size_of(answer: Answer, start: int) -> int:
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    length = match[2] if match else answer.linked.get("X-Linked-Size") or answer.headers.get("Content-Length") or ""
    is_part = match is not None and int(match[1]) == start
    if not _LENGTH.fullmatch(length) or (answer.status == 206 and not is_part):
        raise NetworkError("The server does not say how long the file is.", hint="Try again later.")
    return int(length)


def remote_header(file: RemoteFile, folder: Path, read_header: ReadHeader) -> Path:
    """Return a local file with the header of a remote model and nothing else; parts of a split model beside it.

    One request tells whether what is in `folder` still holds; without a network it is used as it is. Raises
    NetworkError, BadFile for what is no GGUF file, BadRequest for a later part, NotEnoughDisk.
    """
    parts = parts_of(file)
    if all(_known(part, folder) for part in parts) and _still_holds(parts[0], folder):
        return _place(file, folder)
    for part in parts:
        source = RemoteSource(part)
        read_header(source)
        _keep(part, folder, source)
    return _place(file, folder)


def _still_holds(file: RemoteFile, folder: Path) -> bool:
    known = _known(file, folder)
    try:
        with request(file, "HEAD", {}) as answer:
            return known is not None and known == _Known(file.url, answer.etag, _head_size(answer, known))
    except NetworkError as error:
        if "(status " in error.message:
            raise
        return True  # offline: what was there last time


def _head_size(answer: Answer, known: _Known) -> int:
    length = answer.linked.get("X-Linked-Size") or answer.headers.get("Content-Length") or ""
    return int(length) if _LENGTH.fullmatch(length) else known.size_bytes


def _place(file: RemoteFile, folder: Path) -> Path:
    hub = hashlib.sha256(file.endpoint.url.encode()).hexdigest()[:8]
    return folder / f"{file.repository.replace('/', '--')}--{hub}" / file.path


def _note(file: RemoteFile, folder: Path) -> Path:
    place = _place(file, folder)
    return place.with_name(f"{place.name}.json")


def _known(file: RemoteFile, folder: Path) -> _Known | None:
    with suppress(OSError, ValueError, TypeError):
        known = _Known(**parse_json(_note(file, folder).read_text(encoding="utf-8")))
        if known.url == file.url and known.etag and _place(file, folder).stat().st_size == known.size_bytes:
            return known
    return None


def _keep(file: RemoteFile, folder: Path, source: RemoteSource) -> None:
    place, note = _place(file, folder), _note(file, folder)
    try:
        note.unlink(missing_ok=True)
        write_sparse(place, source.data, source.size_bytes)
        note.write_text(json.dumps(asdict(_Known(file.url, source.etag, source.size_bytes))), encoding="utf-8")
    except OSError as error:
        raise NotEnoughDisk(
            f"Cannot write {place} ({error.strerror or error}).", hint="Free some space, or choose another home."
        ) from error
