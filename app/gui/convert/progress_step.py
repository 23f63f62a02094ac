"""Step 3 of a conversion: what is done, how fast, how long still; then the result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from app.core.units import format_duration, format_size
from app.gui.convert.pace import Pace
from app.gui.convert.result_words import ResultLine, best_path, result_lines
from app.gui.convert.words import phase_text
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import ElidedLabel, plain_label

STEPS = 1000
FIGURES_EVERY_S = 0.5


class ProgressStep(QFrame):
    """Follows the converter's events and shows the files it made."""

    cancelled = Signal()
    chat_asked = Signal(str)
    folder_asked = Signal(str)
    again_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._path = ""
        self._pace = Pace()
        self._figures_s = 0.0
        self._stopping = False
        self._title = plain_label(kind="strong", wrap=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, STEPS)
        self._bar.setAccessibleName(self.tr("Conversion"))
        self._what = ElidedLabel(elide=Qt.TextElideMode.ElideMiddle)
        self._what.setProperty("kind", "muted")
        self._figures = plain_label(kind="muted", wrap=True)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(4)
        self.cancel_button = push_button(self.tr("Cancel"), self.cancelled.emit)
        self._folder = push_button(self.tr("Show in folder"), lambda: self.folder_asked.emit(self._path))
        self._again = push_button(self.tr("Convert another"), self.again_asked.emit)
        self.chat_button = push_button(self.tr("Chat now"), lambda: self.chat_asked.emit(self._path), "primary")
        self._build()

    @property
    def result_path(self) -> str:
        """The file that Chat now opens, "" until there is one."""
        return self._path

    @property
    def figures(self) -> str:
        """Bytes, speed and time left, as shown."""
        return self._figures.text()

    @property
    def done_share(self) -> float:
        """How full the bar is, 0 to 1."""
        return self._bar.value() / STEPS

    @property
    def result_texts(self) -> tuple[str, ...]:
        """The lines of the result."""
        items = (self._lines.itemAt(index) for index in range(self._lines.count()))
        widgets = (item.widget() for item in items if item is not None)
        return tuple(str(widget.property("text")) for widget in widgets if widget is not None)

    def begin(self, types: tuple[str, ...]) -> None:
        """Show an empty bar."""
        self._path = ""
        self._pace = Pace()
        self._figures_s = 0.0
        self._stopping = False
        self._title.setText(self.tr("3  Converting to {0}").format(", ".join(types)))
        self._bar.setValue(0)
        self._what.setText(self.tr("Starting…"))
        self._figures.setText("")
        self._show_lines(())
        self.cancel_button.setEnabled(True)
        self._show_buttons(running=True)

    def show_event(self, event: Mapping[str, Any]) -> None:
        """Follow one progress event of the converter."""
        if event.get("event") != "progress" or self._stopping:
            return
        new_phase = event.get("phase") != self._pace.phase
        self._pace.take(event)
        self._bar.setValue(round(STEPS * self._pace.share))
        tried = self._pace.phase == "check" and self._pace.done_bytes >= self._pace.total_bytes
        words = phase_text(self._pace.phase, str(event.get("tensor", "")))
        self._what.setText(self.tr("Checking by a trial answer") if tried else words)
        elapsed_s = float(event.get("elapsed_s") or 0.0)
        if new_phase or tried or elapsed_s - self._figures_s >= FIGURES_EVERY_S:
            self._figures_s = elapsed_s
            self._figures.setText("" if tried else self._pace_words())

    def show_cancelling(self) -> None:
        """Say that the converter is asked to stop."""
        self._stopping = True
        self.cancel_button.setEnabled(False)
        self._what.setText(self.tr("Stopping…"))
        self._figures.setText("")

    def show_result(self, result: Mapping[str, Any]) -> None:
        """Show what was made."""
        files = result.get("files") or []
        self._path = best_path(files)
        elapsed_s = float(result.get("elapsed_s") or 0)
        span = format_duration(elapsed_s) if elapsed_s >= 1 else self.tr("less than a second")
        self._title.setText(self.tr("3  Done in {0}").format(span))
        self._bar.setValue(STEPS)
        names = ", ".join(f"{file['type']} ({format_size(file['size_bytes'])})" for file in files)
        self._figures.setText("")
        self._show_lines([ResultLine(self.tr("In the library: {0}").format(names), "muted"), *result_lines(result)])
        self._show_buttons(running=False)

    def _pace_words(self) -> str:
        """Return "1.2 GB of 5.0 GB · 310 MB/s · 12 s left"; what is not known yet is left out."""
        pace = self._pace
        if not pace.total_bytes:
            return ""
        words = [self.tr("{0} of {1}").format(format_size(pace.done_bytes), format_size(pace.total_bytes))]
        if pace.bytes_per_s:
            words.append(self.tr("{0}/s").format(format_size(pace.bytes_per_s)))
        if pace.left_s is not None:
            words.append(self.tr("{0} left").format(format_duration(max(1.0, pace.left_s))))
        return " · ".join(words)

    def _show_lines(self, lines: Sequence[ResultLine]) -> None:
        while (item := self._lines.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for line in lines:
            self._lines.addWidget(plain_label(line.text, line.kind, wrap=True))

    def _show_buttons(self, running: bool) -> None:
        self._what.setVisible(running)
        self._figures.setVisible(running)
        self.cancel_button.setVisible(running)
        self._again.setVisible(not running)
        self._folder.setVisible(not running and bool(self._path) and Path(self._path).is_absolute())
        self.chat_button.setVisible(not running and bool(self._path))

    def _build(self) -> None:
        bottom = QHBoxLayout()
        bottom.setSpacing(8)
        bottom.addWidget(self._figures, 1)
        bottom.addStretch(0)
        for button in (self.cancel_button, self._folder, self._again, self.chat_button):
            bottom.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self._title)
        layout.addWidget(self._bar)
        layout.addWidget(self._what)
        layout.addLayout(self._lines)
        layout.addSpacing(4)
        layout.addLayout(bottom)
