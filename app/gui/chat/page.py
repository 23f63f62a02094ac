"""The conversation page: model picker above, messages in the middle, composer below, details at the side."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.chat.values import Message
from app.gui.chat.composer import Composer
from app.gui.chat.details import DetailsPane
from app.gui.chat.empty import EmptyConversation
from app.gui.chat.header import ChatHeader
from app.gui.chat.links import offer_link
from app.gui.chat.message_list import COLUMN_PX, SIDE_PX, MessageList
from app.gui.chat.message_view import MessageView
from app.gui.tasks import Tasks
from app.gui.widgets.notice import Notice

BESIDE_PX = 760
"""From this width on, the details stand beside the conversation."""


class ChatPage(QWidget):
    """Shows what the controller tells it and passes the user's wishes on."""

    sent = Signal(str)
    stopped = Signal()
    edit_given_up = Signal()

    def __init__(self, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.header = ChatHeader(self)
        self.notice = Notice(self)
        self.messages = MessageList(tasks, self)
        self.empty = EmptyConversation(self)
        self.composer = Composer(self)
        self.details = DetailsPane(self)
        self._editing = False
        self._main = QWidget(self)
        self._middle = QStackedWidget(self)
        self._middle.addWidget(self.empty)
        self._middle.addWidget(self.messages)
        self._build()
        self.composer.sent.connect(self._on_sent)
        self.composer.stopped.connect(self.stopped)
        self.composer.escaped.connect(self._on_escaped)
        self.messages.link_clicked.connect(lambda href: offer_link(self, href))
        self.header.details_toggled.connect(self._on_details)
        self.details.hide()

    @property
    def draft(self) -> str:
        """What is written and not sent."""
        return self.composer.draft

    def show_empty(self) -> None:
        """Show the page of a conversation that has not begun."""
        self._middle.setCurrentWidget(self.empty)

    def show_messages(self, messages: Sequence[Message], sibling_ids: Mapping[int, tuple[int, ...]]) -> None:
        """Show a branch."""
        self._middle.setCurrentWidget(self.messages)
        self.messages.show_messages(messages, sibling_ids)

    def add_message(self, message: Message) -> MessageView:
        """Show a new message at the end of its branch."""
        if message.parent_id is None or self._middle.currentWidget() is self.empty:
            self._middle.setCurrentWidget(self.messages)
        return self.messages.add(message)

    def set_answering(self, answering: bool) -> None:
        """Show Stop while an answer is written."""
        self.composer.set_answering(answering)

    def begin_edit(self, text: str) -> None:
        """Put a message back into the composer."""
        self._editing = True
        self.composer.set_draft(text)
        self.composer.set_hint(self.tr("Editing your message: Enter asks anew, Esc gives up"))
        self.composer.setFocus()

    def begin_draft(self, text: str) -> None:
        """Show the draft of the conversation that is shown."""
        self._editing = False
        self.composer.set_hint("")
        self.composer.set_draft(text)

    def give_back(self, text: str) -> None:
        """Return words that could not be stored, unless new ones are already written."""
        if text and not self.composer.draft:
            self.composer.set_draft(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the details take the conversation's place where there is no room for both."""
        super().resizeEvent(event)
        self._make_room()

    def _on_details(self, shown: bool) -> None:
        self.details.setVisible(shown)
        self._make_room()
        if self._main.isHidden():
            self.details.panel.context.slider.setFocus()
        elif not shown:
            self.composer.setFocus()

    def _make_room(self) -> None:
        beside = self.width() >= BESIDE_PX
        self.details.set_wide(not beside)
        self._main.setVisible(beside or self.details.isHidden())

    def _on_sent(self, text: str) -> None:
        self._editing = False
        self.composer.set_hint("")
        self.sent.emit(text)

    def _on_escaped(self) -> None:
        if self._editing:
            self.edit_given_up.emit()

    def _build(self) -> None:
        composer_row = QVBoxLayout()
        composer_row.setContentsMargins(SIDE_PX, 0, SIDE_PX, 16)
        composer_row.setSpacing(8)
        for widget in (self.notice, self.composer):
            widget.setMaximumWidth(COLUMN_PX)
        centred = QHBoxLayout()
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(self.notice)
        column.addWidget(self.composer)
        centred.addStretch(1)
        centred.addLayout(column, 1000)
        centred.addStretch(1)
        composer_row.addLayout(centred)
        main = QVBoxLayout(self._main)
        main.setContentsMargins(0, 0, 0, 0)
        main.setSpacing(0)
        main.addWidget(self._middle, 1)
        main.addLayout(composer_row)
        body = QHBoxLayout()
        body.setSpacing(0)
        body.addWidget(self._main, 1)
        body.addWidget(self.details)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addLayout(body, 1)
