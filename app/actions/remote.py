"""Models on a hub, of which only the header is here: good for plans and facts, never for loading."""

import os
from pathlib import Path

from app.actions.context import Pronk
from app.core.errors import NotYet
from app.hub.names import PREFIXES, remote_file
from app.hub.remote_header import remote_header
from app.library.header import read_header


def is_remote(text: str) -> bool:
    """Tell whether a MODEL argument means a file on a hub."""
    return text.startswith(PREFIXES)


def header_of_remote(pronk: Pronk, text: str) -> Path:
    """Return a file as long as the remote model that holds its header; raises what remote_header raises."""
    return remote_header(remote_file(text, os.environ), _folder(pronk), read_header)


def refuse_header_only(pronk: Pronk, path: Path) -> None:
    """Raise NotYet for a file of which only the header was fetched: it cannot be loaded or listed."""
    if path.resolve().is_relative_to(_folder(pronk).resolve()):
        raise not_downloaded(path.name)


def not_downloaded(name: str) -> NotYet:
    """Return the error for a remote model that is to be loaded."""
    return NotYet(
        f"{name} is not on this computer, and this version of Pronk cannot download it.",
        hint="Download the .gguf file with a browser, then: pronk models add FILE.gguf",
    )


def _folder(pronk: Pronk) -> Path:
    return pronk.home.cache / "remote"
