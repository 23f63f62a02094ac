"""What hf: and ms: names mean: a file of a repository, and where it is fetched."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from app.core.errors import BadRequest

HUGGING_FACE = "https://huggingface.co"
MODEL_SCOPE = "https://modelscope.cn"
PREFIXES = ("hf:", "ms:")
_OWNER = re.compile(r"[\w.-]+")
_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.gguf)", re.IGNORECASE)
MOST_PARTS = 500


@dataclass(frozen=True)
class Endpoint:
    """A hub: its address, how a file's address follows from it, and the token that it alone may see."""

    url: str
    pattern: str
    token: str = ""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a repository; `path` may have folders."""

    endpoint: Endpoint
    repository: str
    path: str

    @property
    def url(self) -> str:
        """Where it is fetched."""
        address = self.endpoint.pattern.format(repository=quote(self.repository), path=quote(self.path))
        return self.endpoint.url + address

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"{self.repository}/{self.path}"


def remote_file(text: str, environment: Mapping[str, str]) -> RemoteFile:
    """Return the file that hf:ORG/REPO/FILE.gguf or ms:… names; raises BadRequest when it names none.

    HF_ENDPOINT, HF_TOKEN and HF_HOME of `environment` are heeded.
    """
    prefix, rest = text[:3], text[3:]
    segments = rest.split("/")
    organization, repository, path = (*segments[:2], "/".join(segments[2:])) if len(segments) > 2 else ("", "", "")
    is_named = path.isprintable() and "\\" not in path
    is_whole = is_named and all(_OWNER.fullmatch(part) and part.strip(".") for part in (organization, repository))
    if not is_whole or any(not part.strip(".") for part in path.split("/")) or not path.lower().endswith(".gguf"):
        raise BadRequest(
            f"{text} names no model file.",
            hint=f"Write {prefix}ORGANIZATION/REPOSITORY/FILE.gguf, as the hub lists it.",
        )
    endpoint = _hugging_face(environment) if prefix == "hf:" else _model_scope()
    return RemoteFile(endpoint, f"{organization}/{repository}", path)


def parts_of(file: RemoteFile) -> tuple[RemoteFile, ...]:
    """Return the files of a split model, named by its first: FILE-00001-of-0000N.gguf; else the file alone.

    Raises BadRequest for another part than the first.
    """
    match = _PART.fullmatch(file.path)
    if match is None:
        return (file,)
    stem, number, count, suffix = match.groups()
    if int(number) != 1 or not 1 <= int(count) <= MOST_PARTS:
        raise BadRequest(
            f"{file.name} is part {int(number)} of {int(count)} of a model.",
            hint=f"Name the first part: {stem}-00001-of-{count}{suffix}",
        )
    return tuple(
        RemoteFile(file.endpoint, file.repository, f"{stem}-{part:05d}-of-{count}{suffix}")
        for part in range(1, int(count) + 1)
    )


def _hugging_face(environment: Mapping[str, str]) -> Endpoint:
    url = (environment.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/")
    if not _is_address(url):
        hint = f"Write it as {HUGGING_FACE}, without a user's name, or unset it."
        raise BadRequest(f"HF_ENDPOINT is no address: {url.rpartition('@')[2]}", hint=hint)
    return Endpoint(url, "/{repository}/resolve/main/{path}", _token(environment))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        )
    except ValueError:  # a port that is none, brackets without an end
        return False


def _model_scope() -> Endpoint:
    return Endpoint(MODEL_SCOPE, "/models/{repository}/resolve/master/{path}")


def _token(environment: Mapping[str, str]) -> str:
    """Return the user's token as Hugging Face's own tools find it: HF_TOKEN, else the file that a login wrote.

    Raises BadRequest, without saying it, for one that cannot be sent.
    """
    token = environment.get("HF_TOKEN", "").strip() or _stored_token(environment)
    if not (token.isascii() and token.isprintable()):
        raise BadRequest(
            "The token for Hugging Face has signs that no token has.", hint="Check HF_TOKEN, or log in anew."
        )
    return token


def _stored_token(environment: Mapping[str, str]) -> str:
    home = environment.get("HF_HOME") or str(Path("~/.cache/huggingface").expanduser())
    try:
        return Path(environment.get("HF_TOKEN_PATH") or f"{home}/token").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
