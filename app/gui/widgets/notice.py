"""A quiet bar that says what happened and offers the way on."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.gui.widgets.buttons import icon_button, push_button
from app.gui.widgets.labels import plain_label, set_kind

UNDO_MS = 10_000


class Notice(QFrame):
    """One message with an optional hint and button; hidden until show_text() or show_error()."""

    def __init__(self, parent: QWidget | None = None, closable: bool = True) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self._action: Callable[[], object] = lambda: None
        self._expired: Callable[[], object] = lambda: None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_expired)
        self._text = plain_label(wrap=True)
        self._hint = plain_label(kind="muted", wrap=True)
        self._hint.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._button = push_button(self.tr("OK"), self._on_button, "link")
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._text)
        words.addWidget(self._hint)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 8, 8)
        layout.setSpacing(8)
        layout.addLayout(words, 1)
        layout.addWidget(self._button, 0, Qt.AlignmentFlag.AlignVCenter)
        if closable:
            layout.addWidget(icon_button("x", self.tr("Close"), self.dismiss), 0, Qt.AlignmentFlag.AlignVCenter)
        self.hide()

    @property
    def message(self) -> str:
        """What the bar says now."""
        return self._text.text()

    def show_text(
        self, text: str, hint: str = "", button: str = "", action: Callable[[], object] | None = None, kind: str = ""
    ) -> None:
        """Show a message; `button` runs `action` and closes the bar."""
        self._settle()
        self._text.setText(text)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._button.setText(button)
        self._button.setAccessibleName(button)
        self._button.setVisible(bool(button))
        self._action = action or (lambda: None)
        self.setAccessibleName(text)
        set_kind(self, kind)
        self.show()

    def show_error(self, error: AppError, button: str = "", action: Callable[[], object] | None = None) -> None:
        """Show what failed and what to do."""
        self.show_text(error.message, error.hint, button, action, kind="danger")

    def show_undo(self, text: str, undo: Callable[[], object], expired: Callable[[], object] | None = None) -> None:
        """Offer to undo for ten seconds; `expired` runs when the offer ends unused."""
        self.show_text(text, button=self.tr("Undo"), action=undo)
        self._expired = expired or (lambda: None)
        self._timer.start(UNDO_MS)

    def clear_error(self) -> None:
        """Close the bar if it tells of an error: it is over."""
        if self.property("kind") == "danger":
            self.dismiss()

    def dismiss(self) -> None:
        """Close the bar."""
        self._settle()
        self.hide()

    def _settle(self) -> None:
        self._timer.stop()
        expired, self._expired = self._expired, lambda: None
        expired()

    def _on_expired(self) -> None:
        self.dismiss()

    def _on_button(self) -> None:
        self._expired = lambda: None
        action = self._action
        self.dismiss()
        action()
