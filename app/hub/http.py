"""HTTP for the hubs: few requests with time limits, a token that stays with its host, errors in plain words."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from app.core.errors import AppError, NetworkError
from app.hub.names import RemoteFile

TIMEOUT_S = 15.0
USER_AGENT = "pronk"
_LINKED = ("X-Linked-Etag", "X-Linked-Size")


class Body(Protocol):
    """What a response is read from."""

    def read1(self, size: int, /) -> bytes:
        """Return what is there, at most `size` bytes; waits for the first."""


@dataclass(frozen=True)
class Answer:
    """A response: its status, headers of the last host, the hub's own words about the file, the body to read from."""

    status: int
    headers: Message
    linked: Mapping[str, str]
    body: Body

    @property
    def etag(self) -> str:
        """What changes with the file's content; the hub's, where it hands the file's bytes on to another host."""
        return (self.linked.get("X-Linked-Etag") or self.headers.get("ETag") or "").removeprefix("W/").strip('"')


class _Redirects(HTTPRedirectHandler):
    """Follows redirects with the same method; the token goes to the hub's own host alone."""

    def __init__(self) -> None:
        self.linked: dict[str, str] = {}

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        self.linked |= {name: headers[name] for name in _LINKED if headers[name]}
        if req.get_method() == "HEAD" and self.linked.get(_LINKED[0]):
            return None  # the hub has said what was asked; the host of the bytes is not needed
        is_at_home = _origin(newurl) == _origin(req.full_url)
        kept = {name: value for name, value in req.headers.items() if is_at_home or name != "Authorization"}
        return Request(newurl, headers=kept, method=req.get_method(), origin_req_host=req.origin_req_host)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


@contextmanager
def request(file: RemoteFile, method: str, more: Mapping[str, str]) -> Iterator[Answer]:
    """Ask for a file; raises NetworkError, also for what goes wrong while the caller reads the body."""
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **more}
    if file.endpoint.token:
        headers["Authorization"] = f"Bearer {file.endpoint.token}"
    redirects = _Redirects()
    try:
        answer = build_opener(redirects).open(Request(file.url, headers=headers, method=method), timeout=TIMEOUT_S)
        with answer:
            yield Answer(answer.status, answer.headers, redirects.linked, answer)
    except HTTPError as error:
        with error:
            if 300 <= error.code < 400 and redirects.linked:
                yield Answer(200, error.headers, redirects.linked, error)
                return
            raise _refusal(file, error) from error
    except (URLError, http.client.HTTPException, OSError, ValueError) as error:  # ValueError: a redirect to no address
        raise _unreachable(file, error) from error


def _unreachable(file: RemoteFile, error: Exception) -> NetworkError:
    reason: Any = getattr(error, "reason", error)
    told = "it did not answer in time" if isinstance(reason, TimeoutError) else str(reason) or type(reason).__name__
    return NetworkError(
        f"Cannot fetch {file.name} from {_host(file)}: {told}.",
        hint="Check the connection, then try again. A mirror is chosen with HF_ENDPOINT.",
    )


def _host(file: RemoteFile) -> str:
    """Return the hub's host and port, without what stands before an @: it may be a password."""
    return urlsplit(file.url).netloc.rpartition("@")[2]


def _refusal(file: RemoteFile, error: HTTPError) -> AppError:
    host, code = _host(file), (error.headers.get("X-Error-Code") or "")
    if code == "GatedRepo" or error.code == 403:
        return NetworkError(
            f"{host} does not hand out {file.name} (status {error.code}): access must be asked for.",
            hint=f"Accept its conditions on {file.endpoint.url}/{file.repository}, then set HF_TOKEN to your token.",
        )
    if error.code == 401:
        return NetworkError(
            f"{host} has no {file.name} that may be seen without an account (status 401).",
            hint="Check the name; for a private or gated repository set HF_TOKEN to your token.",
        )
    if error.code == 404:
        return NetworkError(
            f"{host} has no {file.name} (status 404).", hint="Check organization, repository and file name."
        )
    return NetworkError(f"{host} failed to hand out {file.name} (status {error.code}).", hint="Try again later.")
