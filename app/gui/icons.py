"""Icons of the Phosphor family, drawn from the font that qtawesome carries, sharp at every scale.

The font and its table are read on first use (after the first paint); qtawesome itself is not imported: it would load
a dozen other families.
"""

import importlib.util
import json
from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPixmap

from app.gui.theme import current_theme

FONT = "phosphor-1.3.0.ttf"
CHARACTERS = "phosphor-charmap-1.3.0.json"


def icon(name: str, role: str = "muted") -> QIcon:
    """Return Phosphor's icon `name` ("copy", "arrow-up") in the theme's colour `role`; it follows the theme."""
    return QIcon(_GlyphEngine(name, role))


class _GlyphEngine(QIconEngine):
    """Draws one character of the icon font in the colour of the theme of the moment."""

    def __init__(self, name: str, role: str) -> None:
        super().__init__()
        self._name = name
        self._role = role

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Draw the glyph into `rect`."""
        if rect.isEmpty():
            return
        family, characters = _phosphor()
        font = QFont(family)
        font.setPixelSize(rect.height())
        role = "muted" if mode == QIcon.Mode.Disabled else self._role
        colour = QColor(getattr(current_theme(), role))
        painter.save()
        painter.setFont(font)
        painter.setPen(colour)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, characters[self._name])
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Draw the glyph on a transparent picture."""
        picture = QPixmap(size)
        if size.isEmpty():
            return picture
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return picture

    def clone(self) -> QIconEngine:
        """Return a copy, as QIcon asks for."""
        return _GlyphEngine(self._name, self._role)


@lru_cache(maxsize=1)
def _phosphor() -> tuple[str, dict[str, str]]:
    """Return the icon font's family and its characters by name."""
    spec = importlib.util.find_spec("qtawesome")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("qtawesome")
    folder = Path(spec.origin).parent / "fonts"
    handle = QFontDatabase.addApplicationFont(str(folder / FONT))
    table: dict[str, str] = json.loads((folder / CHARACTERS).read_text(encoding="utf-8"))
    characters = {name: chr(int(code, 16)) for name, code in table.items()}
    return QFontDatabase.applicationFontFamilies(handle)[0], characters
