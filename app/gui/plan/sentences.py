"""Lines of text that are replaced as a whole, labels kept where the text stays."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from app.gui.widgets.labels import plain_label


class Sentences(QWidget):
    """One wrapped line below the other."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels: list[QLabel] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)

    @property
    def texts(self) -> tuple[str, ...]:
        """The lines shown."""
        return tuple(label.text() for label in self._labels if not label.isHidden())

    def show_texts(self, texts: Sequence[str]) -> None:
        """Show these lines."""
        for _ in range(len(self._labels), len(texts)):
            label = plain_label("", "muted", wrap=True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._labels.append(label)
            self._layout.addWidget(label)
        for index, label in enumerate(self._labels):
            label.setVisible(index < len(texts))
            label.setText(texts[index] if index < len(texts) else "")


class Figures(QWidget):
    """Names at the left, values at the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[QLabel, QLabel]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(4)
        self._grid.setHorizontalSpacing(12)
        self._grid.setColumnStretch(0, 1)

    def show_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show these rows."""
        for row in range(len(self._rows), len(rows)):
            pair = (plain_label("", "muted", wrap=True), plain_label("", "muted"))
            self._grid.addWidget(pair[0], row, 0)
            self._grid.addWidget(pair[1], row, 1, Qt.AlignmentFlag.AlignRight)
            self._rows.append(pair)
        for row, pair in enumerate(self._rows):
            for label, text in zip(pair, rows[row] if row < len(rows) else ("", ""), strict=True):
                label.setVisible(row < len(rows))
                label.setText(text)
