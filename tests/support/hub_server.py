"""A hub on the loopback: serves files as Hugging Face does, ranges, ETags, redirects, gates and faults included."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Seen:
    """One request that came in."""

    method: str
    path: str
    range: str
    token: str


@dataclass
class Hub:
    """What is served, by path; how it misbehaves; what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Path -> a status and X-Error-Code to refuse with."""
    bytes_from: str = ""
    """Another server's address that files are redirected to."""
    moved_to: str = ""
    """A path on this server that requests are redirected to first."""
    ignores_ranges: bool = False
    breaks_after_bytes: int | None = None
    is_silent: bool = False
    drips: bool = False
    """Send a byte ten times a second."""
    redirect: str = ""
    """Where every request is sent to."""
    content_range: str = ""
    """What every answer says of its range."""
    seen: list[Seen] = field(default_factory=list)
    url: str = ""
    _release: threading.Event = field(default_factory=threading.Event)

    def methods(self) -> list[str]:
        """The methods of the requests so far."""
        return [one.method for one in self.seen]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        hub, headers = self.hub, self.headers
        hub.seen.append(Seen(self.command, self.path, headers.get("Range", ""), headers.get("Authorization", "")))
        if hub.is_silent:
            hub._release.wait()
            return
        if hub.redirect:
            self._answer(302, {"Location": hub.redirect})
        elif self.path in hub.statuses:
            status, code = hub.statuses[self.path]
            self._answer(status, {"X-Error-Code": code} if code else {})
        elif hub.moved_to and self.path != hub.moved_to:
            self._answer(307, {"Location": hub.moved_to})
        elif self.path not in hub.files:
            self._answer(404, {"X-Error-Code": "EntryNotFound"})
        elif hub.bytes_from:
            data = hub.files[self.path]
            linked = {"X-Linked-Etag": f'"{_etag(data)}"', "X-Linked-Size": str(len(data))}
            self._answer(302, {"Location": hub.bytes_from + self.path, **linked})
        else:
            self._file(hub.files[self.path])

    def _file(self, data: bytes) -> None:
        headers = {"ETag": f'"{_etag(data)}"', "Accept-Ranges": "bytes"}
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if match is None or self.hub.ignores_ranges:
            self._answer(200, headers, data)
            return
        start, end = int(match[1]), min(int(match[2]) + 1, len(data))
        told = self.hub.content_range or f"bytes {start}-{end - 1}/{len(data)}"
        self._answer(206, {**headers, "Content-Range": told}, data[start:end])

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.hub.breaks_after_bytes
        self.close_connection = self.close_connection or cut is not None
        try:
            while self.hub.drips and not self.hub._release.wait(0.1):
                self.wfile.write(b"G")
            self.wfile.write(body if cut is None else body[:cut])
        except OSError:
            return  # a client that has read enough


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


@contextmanager
def serving(**options: Any) -> Iterator[Hub]:
    """Run a hub on a free port until the end of the block."""
    hub = Hub(**options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = False
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="hub")
    thread.start()
    try:
        yield hub
    finally:
        hub._release.set()
        server.shutdown()
        server.server_close()
        thread.join()
