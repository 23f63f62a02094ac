"""Where Pronk keeps its data."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import NotEnoughDisk


@dataclass(frozen=True)
class Home:
    """The folder that holds everything of one user's Pronk."""

    root: Path

    @property
    def models(self) -> Path:
        """Where converted and downloaded models go."""
        return self.root / "models"

    @property
    def logs(self) -> Path:
        """Where child processes write what they have to say."""
        return self.root / "logs"

    @property
    def cache(self) -> Path:
        """Things that can be made again: probes, skeletons."""
        return self.root / "cache"

    @property
    def chats_db(self) -> Path:
        """The conversations; one process at a time owns it."""
        return self.root / "chats.db"

    @property
    def library_db(self) -> Path:
        """The index of models; a cache that a scan rebuilds."""
        return self.root / "library.db"

    @property
    def settings(self) -> Path:
        """The user's choices, as JSON."""
        return self.root / "settings.json"

    def prepare(self) -> "Home":
        """Create the folders and return self; raises NotEnoughDisk when the place cannot be written."""
        try:
            for folder in (self.root, self.models, self.logs, self.cache):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".write-test-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise NotEnoughDisk(
                f"Pronk cannot write its data folder {self.root} ({error.strerror or error}).",
                hint="Make the folder writable, or choose another: pronk --home DIR, or PRONK_HOME=DIR.",
            ) from error
        return self


def default_home(environ: Mapping[str, str], platform: str = sys.platform) -> Home:
    """Return the data folder: PRONK_HOME, else the one that the system sets aside for programs' data."""
    if chosen := environ.get("PRONK_HOME"):
        return Home(Path(chosen).expanduser().absolute())
    user = Path(environ.get("USERPROFILE" if platform == "win32" else "HOME") or Path.home())
    if platform == "win32":
        return Home(Path(environ.get("LOCALAPPDATA") or user / "AppData" / "Local") / "Pronk")
    if platform == "darwin":
        return Home(user / "Library" / "Application Support" / "Pronk")
    return Home(Path(environ.get("XDG_DATA_HOME") or user / ".local" / "share") / "pronk")
