"""The messages of a conversation in one readable column; it follows the end while the reader is there."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.chat.values import Message
from app.gui.chat.message_view import AssistantMessage, MessageView, UserMessage
from app.gui.tasks import Tasks
from app.gui.widgets.buttons import push_button

COLUMN_PX = 760
SIDE_PX = 24
PAGE_MESSAGES = 24
NEAR_END_PX = 48


class MessageList(QScrollArea):
    """Shows a branch; long conversations begin with their last messages, earlier ones come on request."""

    regenerate_asked = Signal(int)
    edit_asked = Signal(int)
    sibling_asked = Signal(int)
    link_clicked = Signal(str)

    def __init__(self, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._views: list[MessageView] = []
        self._earlier: list[Message] = []
        self._sibling_ids: Mapping[int, tuple[int, ...]] = {}
        self._follow = True
        self._pages = QTimer(self)
        self._pages.setInterval(0)
        self._pages.timeout.connect(self._on_build_next)
        self._due: list[Message] = []
        self._column = QWidget()
        self._column.setObjectName("plain")
        self._layout = QVBoxLayout(self._column)
        self._layout.setSpacing(20)
        self._more = push_button(self.tr("Show earlier messages"), self.show_earlier, "link")
        self._layout.addWidget(self._more, 0, Qt.AlignmentFlag.AlignHCenter)
        self._layout.addStretch(1)
        self._more.hide()
        self.setWidget(self._column)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Messages"))
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._on_range_changed)
        bar.valueChanged.connect(self._on_scrolled)

    def show_messages(self, messages: Sequence[Message], sibling_ids: Mapping[int, tuple[int, ...]]) -> None:
        """Show a branch, its end first; one message is built at a time so that the window stays awake."""
        self._clear()
        self._sibling_ids = sibling_ids
        self._earlier = list(messages[:-PAGE_MESSAGES])
        self._due = list(messages[-PAGE_MESSAGES:])
        self._follow = True
        self._more.setVisible(bool(self._earlier))
        self._on_build_next()
        self._pages.start()

    def show_earlier(self) -> None:
        """Build the page of messages before the first one shown."""
        self._due = self._earlier[-PAGE_MESSAGES:] + self._due
        self._earlier = self._earlier[:-PAGE_MESSAGES]
        self._more.setVisible(bool(self._earlier))
        self._follow = False
        self._pages.start()

    def add(self, message: Message) -> MessageView:
        """Show a new message at the end, below its parent: what stood there belongs to another branch."""
        while self._due:
            self._on_build_next()
        self._truncate_below(message.parent_id)
        view = self._build(message)
        self._views.append(view)
        self._layout.insertWidget(self._layout.count() - 1, view)
        self._follow = True
        return view

    def set_siblings(self, message_id: int, sibling_ids: tuple[int, ...]) -> None:
        """Say which versions a message has."""
        view = self.view(message_id)
        if view is not None:
            view.set_siblings(sibling_ids)

    def view(self, message_id: int) -> MessageView | None:
        """Return the widget of a message, None when it is not shown."""
        return next((view for view in reversed(self._views) if view.message.id == message_id), None)

    @property
    def views(self) -> tuple[MessageView, ...]:
        """The widgets of the messages that are built, in order."""
        return tuple(self._views)

    def _clear(self) -> None:
        self._pages.stop()
        self._due = []
        for view in self._views:
            self._remove(view)
        self._views = []

    def _remove(self, view: MessageView) -> None:
        self._layout.removeWidget(view)
        view.hide()
        view.deleteLater()

    def _truncate_below(self, parent_id: int | None) -> None:
        if parent_id is None:
            return self._clear()
        keep = next((index for index, view in enumerate(self._views) if view.message.id == parent_id), None)
        if keep is not None:
            for view in self._views[keep + 1 :]:
                self._remove(view)
            del self._views[keep + 1 :]
        return None

    def _on_build_next(self) -> None:
        if not self._due:
            self._pages.stop()
            return
        message = self._due.pop()
        view = self._build(message)
        self._views.insert(0, view)
        self._layout.insertWidget(1, view)

    def _build(self, message: Message) -> MessageView:
        view: MessageView = (
            AssistantMessage(message, self._tasks) if message.role == "assistant" else UserMessage(message)
        )
        view.regenerate_asked.connect(self.regenerate_asked)
        view.edit_asked.connect(self.edit_asked)
        view.sibling_asked.connect(self.sibling_asked)
        view.link_clicked.connect(self.link_clicked)
        view.set_siblings(self._sibling_ids.get(message.id, ()))
        return view

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the reading column centred and at most 760 px wide."""
        super().resizeEvent(event)
        side_px = max(SIDE_PX, (self.width() - COLUMN_PX) // 2)
        bar_px = self.width() - self.viewport().width()
        self._layout.setContentsMargins(side_px, 20, side_px - bar_px, 20)

    def _on_range_changed(self, _: int, maximum: int) -> None:
        bar = self.verticalScrollBar()
        if self._follow:
            bar.setValue(maximum)
        elif self._pages.isActive():  # messages were put above: keep what is read in place
            bar.setValue(bar.value() + maximum - self._maximum)
        self._maximum = maximum

    _maximum = 0

    def _on_scrolled(self, value: int) -> None:
        bar = self.verticalScrollBar()
        if bar.isSliderDown() or value != bar.maximum():
            self._follow = value >= bar.maximum() - NEAR_END_PX
