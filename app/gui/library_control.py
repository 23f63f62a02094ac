"""The library and this computer's devices as the window sees them: looked up on pool threads, told by signals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.actions.context import Pronk
from app.actions.verdicts import JudgedModel, judge_model
from app.core.errors import AppError
from app.gui.ports import Ports
from app.gui.tasks import Tasks

if TYPE_CHECKING:
    from app.actions.models import LibraryModel, RemovedModel
    from app.devices.values import Devices


@dataclass(frozen=True)
class LibraryView:
    """The models with their verdicts; `devices` is None until the probe has answered, and verdicts are empty."""

    models: tuple[JudgedModel, ...] = ()
    devices: Devices | None = None


class LibraryControl(QObject):
    """Keeps the list of models; `changed` carries a LibraryView, `failed` an AppError."""

    changed = Signal(object)
    devices_found = Signal(object)
    added = Signal(object)
    removed = Signal(object)
    failed = Signal(object)

    def __init__(self, pronk: Pronk, tasks: Tasks, ports: Ports, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pronk = pronk
        self._ports = ports
        self._tasks = tasks
        self._view = LibraryView()
        self._looking = False

    @property
    def view(self) -> LibraryView:
        """What is known now."""
        return self._view

    def named(self, text: str) -> JudgedModel | None:
        """Return the model with this name or path."""
        return next((one for one in self._view.models if text in (one.model.name, one.path)), None)

    def refresh(self) -> None:
        """List the models anew; verdicts follow as soon as the devices are known."""
        devices = self._view.devices
        self._tasks.run(
            lambda _: _judged(self._pronk, devices), done=self._on_models, failed=self.failed.emit, owner=self
        )

    def look_again(self) -> None:
        """Notice models that were added or removed outside the window; says nothing when all is as it was."""
        if self._looking:
            return
        self._looking = True
        devices = self._view.devices
        self._tasks.run(
            lambda _: _judged(self._pronk, devices), done=self._on_looked, failed=self._on_not_looked, owner=self
        )

    def find_devices(self) -> None:
        """Ask which devices this computer has, then judge the models."""
        self._tasks.run(
            lambda _: self._ports.find_devices(self._pronk), done=self._on_devices, failed=self.failed.emit, owner=self
        )

    def add(self, path: Path) -> None:
        """Put a GGUF file on the list."""
        self._tasks.run(
            lambda _: _models().add_file(self._pronk, path), done=self._on_added, failed=self.failed.emit, owner=self
        )

    def remove(self, model: LibraryModel) -> None:
        """Take a model off the list; its file stays."""
        self._tasks.run(
            lambda _: _models().remove_model(self._pronk, model.name),
            done=self._on_removed,
            failed=self.failed.emit,
            owner=self,
        )

    def restore(self, removed: RemovedModel) -> None:
        """Undo remove()."""
        self._tasks.run(
            lambda _: _models().restore_model(self._pronk, removed),
            done=lambda _: self.refresh(),
            failed=self.failed.emit,
            owner=self,
        )

    def _on_looked(self, models: tuple[JudgedModel, ...]) -> None:
        self._looking = False
        if models != self._view.models:
            self._on_models(models)

    def _on_not_looked(self, error: AppError) -> None:
        self._looking = False
        self.failed.emit(error)

    def _on_models(self, models: tuple[JudgedModel, ...]) -> None:
        self._view = LibraryView(models, self._view.devices)
        self.changed.emit(self._view)

    def _on_devices(self, devices: Devices) -> None:
        self._view = LibraryView(self._view.models, devices)
        self.devices_found.emit(devices)
        self.refresh()

    def _on_added(self, model: LibraryModel) -> None:
        self.added.emit(model)
        self.refresh()

    def _on_removed(self, removed: RemovedModel) -> None:
        self.removed.emit(removed)
        self.refresh()


def _models() -> ModuleType:
    """Return the module of library actions, loaded on the pool thread that needs it first."""
    from app.actions import models

    return models


def _judged(pronk: Pronk, devices: Devices | None) -> tuple[JudgedModel, ...]:
    judged = []
    for model in _models().list_models(pronk):
        try:
            judged.append(judge_model(pronk, model, devices) if devices is not None else JudgedModel(model))
        except AppError as error:
            judged.append(JudgedModel(model, problem=error.message))
    return tuple(judged)
