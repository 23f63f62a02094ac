"""Who may come in: pure checks of a request's head, strictest first.

Loopback is not a wall: any web page can send to it (CSRF), and a name that turns into 127.0.0.1 makes it same-origin
(DNS rebinding). So the Host must be exactly ours, a foreign Origin is refused before any work, and a key is asked for.
"""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

MAX_BODY_BYTES = 10_000_000
MAX_DEPTH = 64

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Refusal(Exception):
    """An answer that is an error, in OpenAI's words: HTTP status, message, the field at fault, a code."""

    status: int
    message: str
    code: str
    param: str | None = None
    hint: str = ""

    def document(self) -> dict[str, object]:
        """Return the body of the answer."""
        error = {"message": self.message, "type": self._type(), "param": self.param, "code": self.code}
        return {"error": {**error, "hint": self.hint} if self.hint else error}

    def _type(self) -> str:
        named = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        return named.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")


@dataclass(frozen=True)
class Door:
    """What a request must bring along."""

    api_key: str
    hosts: frozenset[bytes]

    def refusal(self, headers: Headers, open_to_all: bool = False) -> Refusal | None:
        """Return why a request is turned away, None when it may come in; `open_to_all` asks for no key."""
        values: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            values.setdefault(name.lower(), []).append(value)
        if len(values.get(b"host", ())) != 1 or values[b"host"][0] not in self.hosts:
            return Refusal(403, "This Host is not served here.", "bad_host", hint="Use the URL that Pronk shows.")
        if any(not self._own(origin) for origin in values.get(b"origin", ())):
            return Refusal(403, "Web pages of another origin are not served.", "bad_origin")
        if open_to_all or self._has_key(values.get(b"authorization", ())):
            return None
        return Refusal(
            401, "The API key is missing or wrong.", "invalid_api_key", hint="Send Authorization: Bearer KEY."
        )

    def proof(self, nonce: str) -> str:
        """Return what only the holder of the key can answer: HMAC-SHA256(key, nonce) in hex."""
        return hmac.new(self.api_key.encode(), nonce.encode(), hashlib.sha256).hexdigest()

    def _own(self, origin: bytes) -> bool:
        return origin.removeprefix(b"http://") in self.hosts and origin.startswith(b"http://")

    def _has_key(self, values: list[bytes] | tuple[()]) -> bool:
        expected = b"Bearer " + self.api_key.encode()
        return len(values) == 1 and hmac.compare_digest(values[0], expected)


def new_key() -> str:
    """Return a new random key of 256 bits."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def allowed_hosts(host: str, port: int, own_addresses: Iterable[str] = ()) -> frozenset[bytes]:
    """Return the Host headers that name this server; `own_addresses` are this computer's when it serves a network."""
    names = ["127.0.0.1", "localhost", "[::1]"]
    if not is_loopback(host):
        names += [_bracketed(name) for name in (host, *own_addresses)]
    return frozenset(f"{name}:{port}".encode() for name in names)


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
