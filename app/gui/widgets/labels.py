"""Labels that never take their text for HTML."""

import html

from PySide6.QtCore import QEvent, QRect, Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.gui.safe_text import visible_text

MEASURE_PX = 100_000


def plain_label(text: str = "", kind: str = "", wrap: bool = False) -> QLabel:
    """Return a label of plain text; kind is "title", "subtitle", "muted", "danger", "warning", "ok" or ""."""
    label = WrapLabel(text) if wrap else PlainLabel(text)
    label.setProperty("kind", kind)
    return label


def set_kind(widget: QWidget, kind: str) -> None:
    """Change a widget's kind and style it anew."""
    if widget.property("kind") != kind:
        widget.setProperty("kind", kind)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def plain_tooltip(text: str) -> str:
    """Return a tooltip that shows `text` as it is: Qt takes a tooltip that looks like HTML for HTML."""
    return f"<span>{html.escape(visible_text(text))}</span>"


class PlainLabel(QLabel):
    """A label whose text is plain, with hidden characters shown."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show `text`, control characters written out."""
        super().setText(visible_text(text))


class WrapLabel(PlainLabel):
    """Text that wraps and takes just the height it needs.

    It fixes its own height: layouts that ask for a height for a width guess wrong once they are nested.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setWordWrap(True)
        self._fit()

    def setText(self, text: str) -> None:
        """Show `text` and take its height."""
        super().setText(text)
        self._fit()

    def hasHeightForWidth(self) -> bool:
        """Say no: the height is fixed whenever the width is."""
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take the height for the new width."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        """Take the height for a new font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        if self.wordWrap():
            room = QRect(0, 0, max(self.width(), 1), MEASURE_PX)
            needed = self.fontMetrics().boundingRect(room, Qt.TextFlag.TextWordWrap, self.text())
            self.setFixedHeight(max(needed.height(), self.fontMetrics().height()))


class SteadyLabel(WrapLabel):
    """Wrapping text that never gets lower at one width: what stands below it does not jump while the text changes."""

    def __init__(self, kind: str = "", parent: QWidget | None = None) -> None:
        self._width = 0
        self._lowest_px = 0
        super().__init__("", parent)
        self.setProperty("kind", kind)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)

    def forget(self) -> None:
        """Take the height of the text again: it is about something else now."""
        self._lowest_px = 0
        self._fit()

    def _fit(self) -> None:
        if self.width() != self._width:
            self._width, self._lowest_px = self.width(), 0
        super()._fit()
        self._lowest_px = max(self._lowest_px, self.maximumHeight())
        self.setFixedHeight(self._lowest_px)


class ElidedLabel(PlainLabel):
    """One line that is cut with … when it has no room; the tooltip then holds all of it."""

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        self._whole = ""
        self._mode = elide
        super().__init__(text, parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        """Show `text`, cut to the width."""
        self._whole = visible_text(text)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut anew."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        shown = QFontMetrics(self.font()).elidedText(self._whole, self._mode, self.width())
        if shown != super().text():
            super().setText(shown)
        self.setAccessibleName(self._whole)
        self.setToolTip(plain_tooltip(self._whole) if shown != self._whole else "")
