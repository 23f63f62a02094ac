"""Buttons in the window's own style."""

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QPushButton, QToolButton

from app.gui.icons import icon

ICON_PX = 18


def icon_button(name: str, tip: str, clicked: Callable[[], object]) -> QToolButton:
    """Return a flat button with an icon; `tip` is its tooltip and its accessible name."""
    button = QToolButton()
    button.setIcon(icon(name))
    button.setIconSize(QSize(ICON_PX, ICON_PX))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setAutoRaise(True)
    button.clicked.connect(lambda: clicked())
    return button


def push_button(text: str, clicked: Callable[[], object], kind: str = "", icon_name: str = "") -> QPushButton:
    """Return a button with words; kind "primary" is the page's main one, "link" looks like a link."""
    button = QPushButton(text)
    button.setProperty("kind", kind)
    button.setAccessibleName(text.replace("&", ""))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if icon_name:
        button.setIcon(icon(icon_name, "on_accent" if kind == "primary" else "muted"))
    button.clicked.connect(lambda: clicked())
    return button
