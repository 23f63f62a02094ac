"""What actions need, built once in app/__main__.py and passed in."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.paths import Home
from app.core.settings import Settings, load_settings

if TYPE_CHECKING:
    from app.jobs.helper import Helper


@dataclass(frozen=True)
class Pronk:
    """One run of Pronk: its data folder and the children it keeps."""

    home: Home

    @cached_property
    def helper(self) -> "Helper":
        """The resident child that asks drivers and does dry runs; started on first use."""
        return self.helper_for()

    def helper_for(self, *arguments: str) -> "Helper":
        """Return a helper of its own for other devices than this machine's (--rpc, simulated); the caller closes it."""
        from app.jobs.commands import module_command
        from app.jobs.helper import Helper

        return Helper(module_command("app.devices.helper", *arguments), self.log("helper"))

    def settings(self) -> Settings:
        """Read the user's settings."""
        return load_settings(self.home.settings)

    def log(self, name: str) -> Path:
        """Where a child of this name writes its stderr."""
        return self.home.logs / f"{name}.log"

    def close(self) -> None:
        """End the children."""
        if "helper" in self.__dict__:
            self.helper.close()
