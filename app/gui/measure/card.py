"""The card that offers to measure this computer, follows the measuring, and tells what came of it."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QVBoxLayout, QWidget

from app.gui.plan.sentences import Figures
from app.gui.widgets.buttons import push_button
from app.gui.widgets.fold_box import FoldBox, row_of
from app.gui.widgets.labels import ElidedLabel, plain_label

STEPS = 1000
HEAD_WIDE_PX = 420


class MeasureCard(QFrame):
    """One sentence and a button; progress and Cancel while it runs; then the results as rows."""

    asked = Signal()
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setAccessibleName(self.tr("Measure my PC"))
        self._text = plain_label("", "muted", wrap=True)
        self.button = push_button(self.tr("Measure my PC"), self.asked.emit, icon_name="gauge")
        self.cancel_button = push_button(self.tr("Cancel"), self.cancelled.emit)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, STEPS)
        self._bar.setAccessibleName(self.tr("Measuring"))
        self._what = ElidedLabel()
        self._what.setProperty("kind", "muted")
        self.results = Figures()
        self._build()
        self.show_idle()

    @property
    def text(self) -> str:
        """The sentence beside the button."""
        return self._text.text()

    @property
    def doing(self) -> str:
        """What is measured just now."""
        return self._what.accessibleName()

    @property
    def running(self) -> bool:
        """Whether the progress is shown."""
        return not self._bar.isHidden()

    def show_idle(self) -> None:
        """Offer to measure."""
        self._text.setText(
            self.tr(
                "Short tests of memory, processor and graphics cards: about half a minute, longer while other "
                "programs are busy. Afterwards the speeds on this page are those of your computer, and models run "
                "with the threads that are fastest."
            )
        )
        self._show(running=False)

    def show_running(self) -> None:
        """Show an empty bar and Cancel."""
        self._bar.setValue(0)
        self._what.setText(self.tr("Starting…"))
        self.cancel_button.setEnabled(True)
        keyboard = self.button.hasFocus()
        self._show(running=True)
        if keyboard:
            self.cancel_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_progress(self, share: float, words: str) -> None:
        """Say how much is done (0 to 1) and what is measured just now."""
        if self.cancel_button.isEnabled():
            self._bar.setValue(max(self._bar.value(), round(STEPS * share)))
            self._what.setText(words)

    def show_cancelling(self) -> None:
        """Say that it is asked to stop."""
        self.cancel_button.setEnabled(False)
        self._what.setText(self.tr("Stopping…"))

    def show_result(self, sentence: str, rows: Sequence[tuple[str, str]]) -> None:
        """Tell what was measured."""
        self._text.setText(sentence)
        self.results.show_rows(rows)
        self.button.setText(self.tr("Measure again"))
        self.button.setAccessibleName(self.tr("Measure my PC again"))
        self._show(running=False)
        self.results.setVisible(bool(rows))

    def _show(self, running: bool) -> None:
        keyboard = self.cancel_button.hasFocus()
        for widget in (self._bar, self._what, self.cancel_button):
            widget.setVisible(running)
        self.button.setVisible(not running)
        self.results.hide()
        if keyboard and not running:
            self.button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _build(self) -> None:
        about = QWidget()
        about.setObjectName("plain")
        words = QVBoxLayout(about)
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(4)
        words.addWidget(plain_label(self.tr("What this computer can do"), "strong"))
        words.addWidget(self._text)
        head = FoldBox(HEAD_WIDE_PX, 16)
        head.add(about, 1)
        head.add(row_of(self.button, self.cancel_button))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 12, 12)
        layout.setSpacing(8)
        layout.addWidget(head)
        layout.addWidget(self._bar)
        layout.addWidget(self._what)
        layout.addWidget(self.results)
