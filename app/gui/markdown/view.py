"""Shows Markdown that grows: each finished block is drawn once, only the last one is drawn again."""

from dataclasses import dataclass

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.gui.markdown.code_card import CodeCard
from app.gui.markdown.pieces import Code, Piece, Table
from app.gui.markdown.split import StreamSplitter
from app.gui.markdown.text_view import TextView
from app.gui.tasks import Tasks
from app.gui.theme import current_theme
from app.gui.throttle import Throttle

CAP_CHARACTERS = 1_000_000
SLICE_CHARACTERS = 600
GAP_PX = 12


@dataclass
class Drawn:
    """Where a piece of the open block stands: a part of this view and, in a text, its first position."""

    piece: Piece
    part: TextView | CodeCard
    position: int


class MarkdownView(QWidget):
    """The text of one answer.

    `updates` counts how often the screen followed the stream, `drawn_finished` the pieces drawn for good: each
    once. The tests and the bench read them.
    """

    link_clicked = Signal(str)
    grew = Signal()
    settled = Signal()
    """All text is shown, and no more is announced."""

    _text = ""

    def __init__(self, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.updates = 0
        self.drawn_finished = 0
        self._tasks = tasks
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(GAP_PX)
        self._throttle = Throttle(self._follow, self)
        self._clear()

    @property
    def text(self) -> str:
        """The whole Markdown text, shown or waiting."""
        return self._text

    @property
    def parts(self) -> tuple[TextView | CodeCard, ...]:
        """The widgets that show the text, in order."""
        return tuple(self._parts)

    @property
    def is_settled(self) -> bool:
        """Whether all text is shown for good."""
        return self._settled

    @property
    def capped(self) -> bool:
        """Whether text beyond the cap waits for show_all()."""
        return len(self._text) > self._cap

    def append(self, text: str) -> None:
        """Add streamed text; the screen follows within a frame or two."""
        self._text += text
        self._throttle.request()

    def finish(self) -> None:
        """Say that the stream has ended."""
        self._ended = True
        self._throttle.request()

    def set_text(self, text: str) -> None:
        """Show a whole text; a short one at once, a long one in slices."""
        self._clear()
        self._text = text
        self._ended = True
        self._throttle.flush()

    def show_all(self) -> None:
        """Show the text beyond the cap too."""
        self._cap = len(self._text)
        self._throttle.request()

    def changeEvent(self, event: QEvent) -> None:
        """Draw again in the colours of a new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._text and self._theme is not current_theme():
            text, ended, cap = self._text, self._ended, self._cap
            self._clear()
            self._text, self._ended, self._cap = text, ended, cap
            self._throttle.request()

    def _clear(self) -> None:
        self._theme = current_theme()
        self._text = ""
        self._shown = 0
        self._cap = CAP_CHARACTERS
        self._ended = False
        self._settled = False
        self._splitter = StreamSplitter()
        self._tail: list[Drawn] = []
        self._parts: list[TextView | CodeCard] = []
        while (item := self._layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()

    def _follow(self) -> None:
        """Draw the next slice of what has come."""
        end = min(len(self._text), self._cap, self._shown + SLICE_CHARACTERS)
        bit = self._text[self._shown : end]
        self._shown = end
        self.updates += 1
        if bit:
            change = self._splitter.feed(bit)
            self._draw(change.finished, change.tail)
        if self._shown < min(len(self._text), self._cap):
            self._throttle.request()
        elif self._ended and not self._settled:
            self._settle()
        self.grew.emit()

    def _settle(self) -> None:
        self._settled = True
        self._draw(self._splitter.finish().finished, ())
        self.settled.emit()

    def _draw(self, finished: tuple[Piece, ...], tail: tuple[Piece, ...]) -> None:
        pieces = (*finished, *tail)
        same = 0
        while same < min(len(self._tail), len(pieces)) and self._tail[same].piece == pieces[same]:
            same += 1
        if same < min(len(self._tail), len(pieces)) and self._grow_code(self._tail[same], pieces[same]):
            same += 1
        self._remove_from(same)
        for piece in pieces[same:]:
            self._tail.append(self._add(piece))
        for drawn in self._tail[: len(finished)]:
            self.drawn_finished += 1
            if isinstance(drawn.part, CodeCard):
                drawn.part.finish()
        del self._tail[: len(finished)]

    def _grow_code(self, drawn: Drawn, piece: Piece) -> bool:
        if isinstance(drawn.part, CodeCard) and isinstance(piece, Code) and isinstance(drawn.piece, Code):
            if drawn.piece.indent != piece.indent:
                return False
            drawn.part.update_code(piece)
            drawn.piece = piece
            return True
        return False

    def _remove_from(self, index: int) -> None:
        for drawn in reversed(self._tail[index:]):
            if isinstance(drawn.part, CodeCard):
                self._drop(drawn.part)
            else:
                self._drop_empty_text()  # one after it that became empty
                drawn.part.truncate(drawn.position)
        del self._tail[index:]

    def _drop(self, part: TextView | CodeCard) -> None:
        self._parts.remove(part)
        self._layout.removeWidget(part)
        part.hide()
        part.deleteLater()

    def _drop_empty_text(self) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, TextView) and last.document().isEmpty():
            self._drop(last)

    def _add(self, piece: Piece) -> Drawn:
        if isinstance(piece, Code):
            self._drop_empty_text()
            card = CodeCard(piece, self._tasks, self)
            self._place(card)
            return Drawn(piece, card, 0)
        view = self._text_for(isinstance(piece, Table))
        return Drawn(piece, view, view.append_piece(piece))

    def _text_for(self, table: bool) -> TextView:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, TextView) and bool(last.property("table")) == table:  # noqa: SIM102 - two questions
            if not table or last.document().isEmpty():
                return last
        self._drop_empty_text()
        view = TextView(self)
        view.setProperty("table", table)
        view.link_clicked.connect(self.link_clicked)
        self._place(view)
        return view

    def _place(self, part: TextView | CodeCard) -> None:
        self._parts.append(part)
        self._layout.addWidget(part)
