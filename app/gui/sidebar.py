"""The left side: a new chat, the conversations, and the way to the other pages."""

from itertools import pairwise

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.gui.conversation_list import ConversationList
from app.gui.icons import icon
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import plain_label
from app.gui.widgets.notice import Notice

WIDTH_PX = 260
PAGES = ("models", "convert")


class Sidebar(QFrame):
    """Chooses what the rest of the window shows."""

    new_asked = Signal()
    page_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self.setFixedWidth(WIDTH_PX)
        self.conversations = ConversationList(self)
        self.notice = Notice(self)
        self._buttons: dict[str, QPushButton] = {}
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Search titles"))
        self._search.setAccessibleName(self.tr("Search conversations by title"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self.conversations.set_filter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(8)
        new = self._new_button()
        layout.addWidget(new)
        layout.addWidget(self._search)
        layout.addWidget(self.conversations, 1)
        layout.addWidget(self.notice)
        layout.addWidget(_line())
        pages = QVBoxLayout()
        pages.setSpacing(2)
        layout.addLayout(pages)
        self._add_page(pages, "models", self.tr("Models"), "package")
        self._add_page(pages, "convert", self.tr("Convert"), "swap")
        self._order_tabs(new)

    def _order_tabs(self, new: QPushButton) -> None:
        order: list[QWidget] = [new, self._search, self.conversations, *self._buttons.values()]
        for before, after in pairwise(order):
            self.setTabOrder(before, after)

    def show_page(self, name: str) -> None:
        """Mark the page that is shown."""
        for page, button in self._buttons.items():
            button.setChecked(page == name)

    def _new_button(self) -> QPushButton:
        button = push_button(self.tr("New chat"), self.new_asked.emit, icon_name="note-pencil")
        button.setStyleSheet("text-align: left;")
        keys = plain_label("Ctrl N", "muted")
        row = QHBoxLayout(button)
        row.setContentsMargins(0, 0, 12, 0)
        row.addStretch(1)
        row.addWidget(keys)
        return button

    def _add_page(self, layout: QVBoxLayout, name: str, text: str, icon_name: str) -> None:
        button = push_button(text, lambda: self._on_page(name), "nav")
        button.setIcon(icon(icon_name))
        button.setCheckable(True)
        self._buttons[name] = button
        layout.addWidget(button)

    def _on_page(self, name: str) -> None:
        self.show_page(name)
        self.page_asked.emit(name)


def _line() -> QFrame:
    line = QFrame()
    line.setObjectName("line")
    return line
