"""One message: the user's words in a quiet card, or an answer as Markdown with what can be done with it."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontMetrics, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.chat.values import Message
from app.gui.chat.message_footer import MessageFooter
from app.gui.chat.reasoning import ReasoningFold
from app.gui.markdown.text_view import TextView
from app.gui.markdown.view import MarkdownView
from app.gui.safe_text import visible_text
from app.gui.tasks import Tasks
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import plain_label
from app.gui.widgets.notice import Notice

CARD_MARGIN_PX = 14
LEFT_FREE_PX = 64
LONGEST_MEASURED = 50


class MessageView(QWidget):
    """What both kinds of message share: the footer and its signals, each with the message's id."""

    regenerate_asked = Signal(int)
    edit_asked = Signal(int)
    sibling_asked = Signal(int)
    link_clicked = Signal(str)
    grew = Signal()

    def __init__(self, message: Message, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.message = message
        self.footer = MessageFooter(message.role, self)
        self.footer.copy_asked.connect(self.copy)
        self.footer.regenerate_asked.connect(lambda: self.regenerate_asked.emit(self.message.id))
        self.footer.edit_asked.connect(lambda: self.edit_asked.emit(self.message.id))
        self.footer.sibling_asked.connect(self.sibling_asked)

    def set_siblings(self, sibling_ids: tuple[int, ...]) -> None:
        """Say which messages stand beside this one in the tree."""
        self.footer.set_siblings(self.message.id, sibling_ids)

    def copy(self) -> None:
        """Put the message's source text on the clipboard."""
        QGuiApplication.clipboard().setText(self.text)

    @property
    def text(self) -> str:
        """The message as it was written."""
        return self.message.text


class UserMessage(MessageView):
    """The user's words, shown as they are."""

    def __init__(self, message: Message, parent: QWidget | None = None) -> None:
        super().__init__(message, parent)
        self.setAccessibleName(self.tr("You wrote"))
        self._body = TextView()
        self._body.write_plain(visible_text(message.text))
        self._card = QFrame()
        self._card.setObjectName("userCard")
        inner = QVBoxLayout(self._card)
        inner.setContentsMargins(CARD_MARGIN_PX, 10, CARD_MARGIN_PX, 10)
        inner.addWidget(self._body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._card, 0, Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self.footer, 0, Qt.AlignmentFlag.AlignRight)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the card be as wide as its text, within the column."""
        super().resizeEvent(event)
        metrics = QFontMetrics(self._body.font())
        lines = self.message.text[:20_000].splitlines()[:LONGEST_MEASURED] or [""]
        wanted_px = max(metrics.horizontalAdvance(line[:400]) for line in lines) + 2 * CARD_MARGIN_PX + 4
        self._card.setFixedWidth(min(max(wanted_px, 48), max(120, self.width() - LEFT_FREE_PX)))


class AssistantMessage(MessageView):
    """An answer: what the engine does, its reasoning (folded), the text, a failure with the way on."""

    def __init__(self, message: Message, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(message, parent)
        self.setAccessibleName(self.tr("The model's answer"))
        self.body = MarkdownView(tasks, self)
        self._reasoning = ReasoningFold(self)
        self._status = plain_label(kind="muted")
        self._status.hide()
        self._more = push_button(self.tr("Show all"), self._on_show_all, "link")
        self._more.hide()
        self._notice = Notice(self, closable=False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for widget in (self._reasoning, self.body, self._status, self._notice):
            layout.addWidget(widget)
        layout.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.footer)
        self.body.grew.connect(self.grew)
        self.body.link_clicked.connect(self.link_clicked)
        self.body.settled.connect(self._on_settled)
        self._show(message)

    @property
    def text(self) -> str:
        """The answer's Markdown."""
        return self.body.text

    @property
    def notice(self) -> str:
        """What the failure notice says, "" while there is none."""
        return self._notice.message if self._notice.isVisibleTo(self) else ""

    def append(self, text: str) -> None:
        """Add streamed text."""
        self.set_status("")
        self.body.append(text)

    def append_reasoning(self, text: str) -> None:
        """Add streamed reasoning."""
        self._reasoning.append(text)
        self.set_status(self.tr("Thinking…"))

    def catch_up(self, text: str, reasoning: str) -> None:
        """Show what has streamed while another conversation was on the page."""
        if reasoning:
            self.append_reasoning(reasoning)
        self.append(text[len(self.body.text) :])

    def set_status(self, text: str) -> None:
        """Say what the engine is doing before the text comes; "" hides the line."""
        if text != self._status.text():
            self._status.setText(text)
        self._status.setVisible(bool(text))

    def finish(self, message: Message) -> None:
        """Show how the answer ended."""
        if message.text != self.body.text:
            self.body.set_text(message.text)
        self._conclude(message)
        self.body.finish()

    def finish_unsaved(self) -> None:
        """Keep on the screen what came, though its end could not be stored."""
        self.set_status("")
        self.footer.show()
        self.footer.set_stats(self.tr("not saved to the end"))
        self.body.finish()

    def show_engine_trouble(self, text: str, reason: str = "") -> None:
        """Replace the failure's words while the engine is being started again."""
        self._notice.show_text(text, reason, button=self.tr("Retry"), action=self._retry, kind="warning")

    def _show(self, message: Message) -> None:
        if message.text:
            self.body.set_text(message.text)
        if message.details.get("reasoning"):
            self._reasoning.append(str(message.details["reasoning"]))
        if message.state == "streaming":
            self.footer.hide()
        else:
            self._conclude(message)

    def _conclude(self, message: Message) -> None:
        self.message = message
        self.set_status("")
        self._reasoning.finish()
        self.footer.show()
        self.footer.set_stats(stats_text(message))
        error = message.details.get("error")
        if message.state == "failed" and isinstance(error, Mapping):
            self._notice.show_text(
                str(error.get("message", "")),
                str(error.get("hint", "")),
                self.tr("Retry"),
                self._retry,
                kind="danger",
            )

    def _retry(self) -> None:
        self.regenerate_asked.emit(self.message.id)

    def _on_settled(self) -> None:
        self._more.setVisible(self.body.capped)

    def _on_show_all(self) -> None:
        self._more.hide()
        self.body.show_all()


def stats_text(message: Message) -> str:
    """Return "31 tok/s · 0.2 s to the first" and how the answer ended, as far as the engine told."""
    timings = message.details.get("timings") or {}
    words = []
    speed, first_s = _number(timings, "decode_tokens_per_s"), _number(timings, "first_token_s")
    if speed:
        words.append(f"{speed:,.0f} tok/s" if speed >= 10 else f"{speed:.1f} tok/s")
    if first_s is not None:
        words.append(f"first word after {first_s:.1f} s")
    if message.state == "stopped":
        words.insert(0, "stopped")
    elif message.details.get("finish_reason") == "length":
        words.insert(0, "cut at the length limit")
    return " · ".join(words)


def _number(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else None
