"""What a model thought before it answered, folded away."""

import time

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.gui.markdown.text_view import TextView
from app.gui.safe_text import visible_text
from app.gui.throttle import Throttle
from app.gui.widgets.buttons import push_button

CAP_CHARACTERS = 200_000


class ReasoningFold(QWidget):
    """A line "Thought for 4 s" that unfolds the text; hidden while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._began_s = 0.0
        self._open = False
        self._head = push_button(self.tr("Thoughts"), self._toggle, "link")
        self._body = TextView()
        self._body.setProperty("kind", "muted")
        self._body.hide()
        self._throttle = Throttle(self._show, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._head, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._body)
        self.hide()

    def append(self, text: str) -> None:
        """Add reasoning."""
        if not self._text:
            self._began_s = time.monotonic()
            self._set_head(self.tr("Thinking…"))
            self.show()
        self._text += text
        if self._open:
            self._throttle.request()

    def finish(self) -> None:
        """Say how long it took, where that is known."""
        if self._text:
            seconds = time.monotonic() - self._began_s
            self._set_head(self.tr("Thought for {0} s").format(round(seconds)) if seconds >= 1 else self.tr("Thoughts"))

    def _set_head(self, text: str) -> None:
        self._title = text
        self._head.setText(("▾ " if self._open else "▸ ") + text)
        self._head.setAccessibleName(text)

    def _toggle(self) -> None:
        self._open = not self._open
        self._set_head(self._title)
        self._body.setVisible(self._open)
        if self._open:
            self._show()

    def _show(self) -> None:
        self._body.write_plain(visible_text(self._text[:CAP_CHARACTERS]))
