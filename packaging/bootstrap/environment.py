"""The virtual environment `.venv`: made once, filled by pip, and left alone while nothing changed."""

import hashlib
import json
import platform
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import project
from console import step
from processes import run_logged

STAMP = "pronk-setup.json"


@dataclass(frozen=True)
class Record:
    """Steps that are done, each with its fingerprint, and the packages that were there after the last one."""

    steps: dict[str, str]
    installed: frozenset[str]


@dataclass(frozen=True)
class Environment:
    """One virtual environment and the record of what set-up put into it."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.script("python")

    @property
    def site_packages(self) -> Path:
        """The folder that pip installs into."""
        if platform.system() == "Windows":
            return self.folder / "Lib" / "site-packages"
        return next(iter(sorted(self.folder.glob("lib/python3*/site-packages"))), self.folder / "lib")

    def script(self, name: str) -> Path:
        """Path of a program in it."""
        windows = platform.system() == "Windows"
        return self.folder / ("Scripts" if windows else "bin") / (f"{name}.exe" if windows else name)

    def create(self) -> None:
        """Make the environment, again when its interpreter is gone, too old or without pip."""
        if self._works():
            return
        with step("virtual environment .venv"):
            command = [sys.executable, "-m", "venv", "--clear", str(self.folder)]
            run_logged("making .venv", command, project.LOGS / "venv.log")

    def has(self, name: str, fingerprint: str) -> bool:
        """Tell whether a step was done with this fingerprint and nothing was taken out since."""
        return self._current_record().steps.get(name) == fingerprint

    def install(self, name: str, fingerprint: str, title: str, arguments: Sequence[str | Path]) -> bool:
        """Do one pip step unless it is done; tell whether pip was asked."""
        if self.has(name, fingerprint):
            return False
        with step(title):
            record = self._current_record()
            command = [self.python, "-m", "pip", "install", *arguments]
            run_logged(f"installing {title}", command, project.LOGS / f"pip-{name}.log")
            self._write(Record({**record.steps, name: fingerprint}, self._installed()))
        return True

    def forget(self, name: str) -> None:
        """Drop a step from the record, so that it is done again."""
        record = self._current_record()
        self._write(Record({key: value for key, value in record.steps.items() if key != name}, record.installed))

    def fingerprint(self, name: str) -> str:
        """What a step was last done with; "" when it is still to do."""
        return self._current_record().steps.get(name, "")

    def _works(self) -> bool:
        code = "import pip._vendor, sys; sys.exit(sys.version_info < (3, 11))"
        try:
            return subprocess.run([self.python, "-c", code], capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    def _installed(self) -> frozenset[str]:
        return frozenset(path.name for path in self.site_packages.glob("*.dist-info"))

    def _current_record(self) -> Record:
        """Read the record; empty when any package that was there has gone since."""
        try:
            fields = json.loads((self.folder / STAMP).read_text(encoding="utf-8"))
            record = Record(dict(fields["steps"]), frozenset(fields["installed"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Record({}, frozenset())
        return record if record.installed <= self._installed() else Record({}, frozenset())

    def _write(self, record: Record) -> None:
        path = self.folder / STAMP
        part = path.with_suffix(".part")
        part.write_text(
            json.dumps({"steps": record.steps, "installed": sorted(record.installed)}, indent=1), encoding="utf-8"
        )
        part.replace(path)


def project_fingerprint(pyproject: str, extras: str) -> str:
    """Hash of what pip reads in pyproject.toml; a change of the linters' settings is none."""
    tables = tomllib.loads(pyproject)
    read = {name: tables.get(name) for name in ("build-system", "project")}
    read["setuptools"] = tables.get("tool", {}).get("setuptools")
    text = json.dumps(read, sort_keys=True) + extras
    return hashlib.sha256(text.encode()).hexdigest()[:16]
