"""A stacked bar of one device's memory with a legend: each part has a colour, a pattern and a label."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetrics, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.core.units import format_size
from app.gui.theme import current_theme
from app.gui.tokens import MEMORY_COLOURS

TOP_PX = 4
"""Room above and below the bar for the mark at its end."""

BAR_PX = 20
LINE_PX = 20
SWATCH_PX = 12
SMALL_PX = 12
GAP_PX = 24
COLUMNS = ((600, 3), (400, 2), (0, 1))
"""From this width on, so many columns of the legend."""

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
    """Draws the parts of a memory of `total_bytes`; what is free stays empty, what is missing stands past a mark."""

    def __init__(self, name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._parts: tuple[Part, ...] = ()
        self._total_bytes = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def free_bytes(self) -> int:
        """What no part takes; negative when the parts are more than there is."""
        return self._total_bytes - sum(part.size_bytes for part in self._parts)

    def show_parts(self, parts: Sequence[Part], total_bytes: int) -> None:
        """Show these parts of a memory."""
        changed = len(parts) != len(self._parts)
        self._parts, self._total_bytes = tuple(parts), total_bytes
        words = "; ".join(f"{label} {size}" for _, label, size in self._legend())
        self.setAccessibleName(f"{self._name}: {words}" if self._name else words)
        if changed:
            self._fit()
        self.update()

    def sizeHint(self) -> QSize:
        """Return the room for the bar and its legend."""
        return QSize(240, self._height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take the height of the legend at the new width."""
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bar, then the legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_bar(painter)
        self._paint_legend(painter)
        painter.end()

    def _fit(self) -> None:
        if self.height() != self._height():
            self.setFixedHeight(self._height())

    def _height(self) -> int:
        rows = -(-(len(self._parts) + 1) // self._columns())
        return 2 * TOP_PX + BAR_PX + 4 + LINE_PX * rows

    def _columns(self) -> int:
        return next(columns for width_px, columns in COLUMNS if self.width() >= width_px)

    def _legend(self) -> list[tuple[str, str, str]]:
        lines = [(part.name, part.label, format_size(part.size_bytes)) for part in self._parts]
        free = self.free_bytes
        rest = (
            ("", self.tr("Free"), format_size(free))
            if free >= 0
            else ("missing", self.tr("Missing"), format_size(-free))
        )
        return [*lines, rest]

    def _paint_bar(self, painter: QPainter) -> None:
        whole_bytes = max(self._total_bytes, self._total_bytes - self.free_bytes, 1)
        clip = QPainterPath()
        clip.addRoundedRect(QRectF(0.5, TOP_PX + 0.5, self.width() - 1, BAR_PX - 1), 4, 4)
        painter.save()
        painter.setClipPath(clip)
        left = 0.0
        for part in self._parts:
            width = self.width() * part.size_bytes / whole_bytes
            if part.size_bytes > 0:
                _fill(painter, QRectF(left, TOP_PX, max(width, 1.0), BAR_PX), part.name)
            left += width
        painter.restore()
        painter.setPen(QPen(QColor(current_theme().border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(clip)
        if self.free_bytes < 0:
            end = self.width() * self._total_bytes / whole_bytes
            painter.setPen(QPen(QColor(current_theme().danger), 2))
            painter.drawLine(QLineF(end, 0, end, BAR_PX + 2 * TOP_PX))

    def _paint_legend(self, painter: QPainter) -> None:
        font = self.font()
        font.setPixelSize(SMALL_PX)
        painter.setFont(font)
        columns = self._columns()
        rows = -(-(len(self._parts) + 1) // columns)
        width = (self.width() - (columns - 1) * GAP_PX) / columns
        top = 2 * TOP_PX + BAR_PX + 4
        for index, (name, label, size) in enumerate(self._legend()):
            column, row = divmod(index, rows)
            line = QRectF(column * (width + GAP_PX), top + row * LINE_PX, width, LINE_PX)
            _paint_entry(painter, line, name, label, size)


def _paint_entry(painter: QPainter, line: QRectF, name: str, label: str, size: str) -> None:
    """Draw one swatch with its label and size."""
    theme = current_theme()
    swatch = QRectF(line.left() + 0.5, line.center().y() - SWATCH_PX / 2, SWATCH_PX, SWATCH_PX)
    if name in MEMORY_COLOURS:
        _fill(painter, swatch, name)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(theme.danger if name == "missing" else theme.border), 1))
    painter.drawRect(swatch)
    if name == "missing":
        painter.drawLine(swatch.topLeft(), swatch.bottomRight())
    painter.setPen(QColor(theme.danger if name == "missing" else theme.text))
    room = line.adjusted(20, 0, -painter.fontMetrics().horizontalAdvance(size) - 8, 0)
    shown = QFontMetrics(painter.font()).elidedText(label, Qt.TextElideMode.ElideRight, int(room.width()))
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, shown)
    painter.drawText(line, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), size)


def _fill(painter: QPainter, rect: QRectF, name: str) -> None:
    """Fill with the part's colour, its pattern in the surface's colour on top."""
    painter.fillRect(rect, QColor(MEMORY_COLOURS[name]))
    if PATTERNS[name] != Qt.BrushStyle.SolidPattern:
        ink = QColor(current_theme().surface)
        ink.setAlpha(110)
        painter.fillRect(rect, QBrush(ink, PATTERNS[name]))
