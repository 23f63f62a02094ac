"""Step 3 of a conversion: what is done, how fast, how long still; then the result."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from app.core.units import format_duration, format_size
from app.gui.convert.types import RECOMMENDED
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import ElidedLabel, plain_label

SMALLEST_S = 0.5


class ProgressStep(QFrame):
    """Follows the converter's events and shows the files it made."""

    cancelled = Signal()
    chat_asked = Signal(str)
    again_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._path = ""
        self._phase = ""
        self._phase_began_s = 0.0
        self._title = plain_label(kind="strong")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._bar.setAccessibleName(self.tr("Conversion"))
        self._what = ElidedLabel()
        self._what.setProperty("kind", "muted")
        self._figures = plain_label(kind="muted", wrap=True)
        self._cancel = push_button(self.tr("Cancel"), self.cancelled.emit)
        self._again = push_button(self.tr("Convert another"), self.again_asked.emit)
        self._chat = push_button(self.tr("Chat now"), lambda: self.chat_asked.emit(self._path), "primary")
        bottom = QHBoxLayout()
        bottom.addWidget(self._figures, 1)
        for button in (self._cancel, self._again, self._chat):
            bottom.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self._title)
        layout.addWidget(self._bar)
        layout.addWidget(self._what)
        layout.addLayout(bottom)

    @property
    def result_path(self) -> str:
        """The file that Chat now opens, "" until there is one."""
        return self._path

    def begin(self, types: tuple[str, ...]) -> None:
        """Show an empty bar."""
        self._path = ""
        self._phase = ""
        self._title.setText(self.tr("3  Converting to {0}").format(", ".join(types)))
        self._bar.setValue(0)
        self._what.setText(self.tr("Starting…"))
        self._figures.setText("")
        self._cancel.setEnabled(True)
        self._show_buttons(running=True)

    def show_event(self, event: Mapping[str, Any]) -> None:
        """Follow one progress event of the converter."""
        if event.get("event") != "progress":
            return
        done, total = int(event.get("done_bytes") or 0), int(event.get("total_bytes") or 0)
        elapsed_s = float(event.get("elapsed_s") or 0.0)
        phase = str(event.get("phase", ""))
        if phase != self._phase:
            self._phase, self._phase_began_s = phase, elapsed_s
        self._bar.setValue(round(1000 * done / total) if total else 0)
        self._what.setText(self._words(phase, str(event.get("tensor", ""))))
        self._figures.setText(pace(done, total, elapsed_s - self._phase_began_s))

    def show_cancelling(self) -> None:
        """Say that the converter is asked to stop."""
        self._cancel.setEnabled(False)
        self._what.setText(self.tr("Stopping…"))

    def show_result(self, result: Mapping[str, Any]) -> None:
        """Show what was made."""
        files = result.get("files") or []
        self._path = best_path(files)
        elapsed_s = float(result.get("elapsed_s") or 0)
        span = format_duration(elapsed_s) if elapsed_s >= 1 else self.tr("less than a second")
        self._title.setText(self.tr("Done in {0}").format(span))
        self._bar.setValue(1000)
        names = ", ".join(f"{file['type']} ({format_size(file['size_bytes'])})" for file in files)
        self._what.setText(self.tr("In the library: {0}").format(names))
        parity = result.get("tokenizer_parity") or {}
        checked, equal = int(parity.get("checked") or 0), int(parity.get("equal") or 0)
        self._figures.setText(
            self.tr("Tokenizer checked on {0} texts: {1} equal to the original.").format(checked, equal)
            if checked
            else ""
        )
        self._show_buttons(running=False)

    def _words(self, phase: str, tensor: str) -> str:
        words = {
            "read": self.tr("Reading {0}"),
            "quantize": self.tr("Converting {0}"),
            "check": self.tr("Checking {0}"),
            "write": self.tr("Finishing {0}"),
        }
        return words.get(phase, "{0}").format(tensor)

    def _show_buttons(self, running: bool) -> None:
        self._cancel.setVisible(running)
        self._again.setVisible(not running)
        self._chat.setVisible(not running and bool(self._path))


def best_path(files: Sequence[Mapping[str, Any]]) -> str:
    """Return the path of the recommended type, or else of the first file; "" when there is none."""
    best = next((file for file in files if file["type"] == RECOMMENDED), files[0] if files else None)
    return str(best["path"]) if best is not None else ""


def pace(done_bytes: int, total_bytes: int, elapsed_s: float) -> str:
    """Return "1.2 of 5.0 GB · 310 MB/s · 12 s left"; what is not known yet is left out."""
    words = [f"{format_size(done_bytes)} of {format_size(total_bytes)}"]
    if elapsed_s >= SMALLEST_S and done_bytes:
        speed = done_bytes / elapsed_s
        words.append(f"{format_size(speed)}/s")
        words.append(f"{format_duration((total_bytes - done_bytes) / speed)} left")
    return " · ".join(words)
