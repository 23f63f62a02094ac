"""Buttons in the window's own style."""

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import QPushButton, QToolButton

from app.gui.icons import icon

ICON_PX = 18
COPIED_MS = 1200


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


def copy_button(tip: str, clicked: Callable[[], object]) -> QToolButton:
    """Return an icon button that copies, and shows a tick for a moment when it has."""

    def copy() -> None:
        clicked()
        button.setIcon(icon("check", "ok"))
        QTimer.singleShot(COPIED_MS, button, lambda: button.setIcon(icon("copy")))

    button = icon_button("copy", tip, copy)
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
