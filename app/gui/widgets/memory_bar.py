"""A stacked bar of one device's memory with a legend: each part has a colour, a pattern and a label."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.core.units import format_size
from app.gui.theme import current_theme
from app.gui.tokens import MEMORY_COLOURS

BAR_PX = 20
LINE_PX = 20
SWATCH_PX = 12
SMALL_PX = 12

PATTERNS = {
    "weights": Qt.BrushStyle.SolidPattern,
    "kv": Qt.BrushStyle.BDiagPattern,
    "compute": Qt.BrushStyle.Dense4Pattern,
    "reserve": Qt.BrushStyle.HorPattern,
    "other": Qt.BrushStyle.DiagCrossPattern,
}


@dataclass(frozen=True)
class Part:
    """One part of a device's memory."""

    name: str
    label: str
    size_bytes: int


class MemoryBar(QWidget):
    """Draws the parts of a memory of `total_bytes`; what is free stays empty."""

    def __init__(self, parts: Sequence[Part], total_bytes: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts = tuple(part for part in parts if part.size_bytes > 0)
        self._total_bytes = max(total_bytes, sum(part.size_bytes for part in self._parts), 1)
        self._free_bytes = self._total_bytes - sum(part.size_bytes for part in self._parts)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("; ".join(f"{label} {size}" for _, label, size in self._legend()))

    def sizeHint(self) -> QSize:
        """Return the room for the bar and its legend."""
        return QSize(240, BAR_PX + 6 + LINE_PX * len(self._legend()))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bar, then a line for each part."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_bar(painter)
        self._paint_legend(painter)
        painter.end()

    def _legend(self) -> list[tuple[str, str, str]]:
        lines = [(part.name, part.label, format_size(part.size_bytes)) for part in self._parts]
        return [
            *lines,
            ("", self.tr("Free"), format_size(self._free_bytes)),
        ]

    def _paint_bar(self, painter: QPainter) -> None:
        outline = QRectF(0.5, 0.5, self.width() - 1, BAR_PX - 1)
        clip = QPainterPath()
        clip.addRoundedRect(outline, 4, 4)
        painter.save()
        painter.setClipPath(clip)
        left = 0.0
        for part in self._parts:
            width = self.width() * part.size_bytes / self._total_bytes
            _fill(painter, QRectF(left, 0, max(width, 1.0), BAR_PX), part.name)
            left += width
        painter.restore()
        painter.setPen(QPen(QColor(current_theme().border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(clip)

    def _paint_legend(self, painter: QPainter) -> None:
        font = self.font()
        font.setPixelSize(SMALL_PX)
        painter.setFont(font)
        theme = current_theme()
        for index, (name, label, size) in enumerate(self._legend()):
            line = QRectF(0, BAR_PX + 6 + index * LINE_PX, self.width(), LINE_PX)
            swatch = QRectF(0.5, line.center().y() - SWATCH_PX / 2, SWATCH_PX, SWATCH_PX)
            if name:
                _fill(painter, swatch, name)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.border), 1))
            painter.drawRect(swatch)
            painter.setPen(QColor(theme.text))
            painter.drawText(line.adjusted(20, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, label)
            right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(line, int(right), size)


def _fill(painter: QPainter, rect: QRectF, name: str) -> None:
    """Fill with the part's colour, its pattern in the surface's colour on top."""
    painter.fillRect(rect, QColor(MEMORY_COLOURS[name]))
    if PATTERNS[name] != Qt.BrushStyle.SolidPattern:
        ink = QColor(current_theme().surface)
        ink.setAlpha(110)
        painter.fillRect(rect, QBrush(ink, PATTERNS[name]))
