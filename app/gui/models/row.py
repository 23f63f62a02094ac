"""One model on the models page."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.actions.load_choice import AUTOMATIC
from app.actions.verdicts import JudgedModel
from app.core.units import format_size
from app.gui.icons import icon
from app.gui.models.picker_row import verdict_icon, verdict_kind, verdict_words
from app.gui.widgets.buttons import icon_button, push_button
from app.gui.widgets.fold_box import FoldBox, row_of
from app.gui.widgets.labels import ElidedLabel, plain_label, set_kind

HEAD_WIDE_PX = 420
BESIDE_BUTTON_PX = 7
"""What brings a line of text to the height of a button's."""


class ModelRow(QFrame):
    """A card: name, size and type, verdict, Chat, How it fits, Remove; the plan unfolds below."""

    chat_asked = Signal(bool)
    automatic_asked = Signal()
    plan_asked = Signal()
    remove_asked = Signal()

    def __init__(self, judged: JudgedModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.judged = judged
        self._loaded = False
        self._name = ElidedLabel()
        self._name.setProperty("kind", "strong")
        self._facts = ElidedLabel()
        self._facts.setProperty("kind", "muted")
        self._sign = plain_label()
        self._verdict = plain_label(wrap=True)
        self._chat = push_button("", lambda: self.chat_asked.emit(self._is_too_big))
        self.plan_button = push_button(self.tr("How it fits"), self.plan_asked.emit)
        self.plan_button.setCheckable(True)
        self._remove = icon_button("trash", "", self.remove_asked.emit)
        self.automatic_button = push_button(self.tr("Back to automatic"), self.automatic_asked.emit, "link")
        self._below = QVBoxLayout()
        self._build()
        self.show_model(judged)

    @property
    def _is_too_big(self) -> bool:
        return self.judged.verdict == "too_big" and not self._loaded

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return self._verdict.text()

    def show_model(self, judged: JudgedModel, loaded: bool = False) -> None:
        """Show a newer verdict of the same model, and whether it is loaded and ready."""
        self.judged, self._loaded = judged, loaded
        model = judged.model
        self.setAccessibleName(judged.title)
        self._name.setText(judged.title)
        self._facts.setText(" · ".join(part for part in (model.architecture, format_size(model.size_bytes)) if part))
        self._sign.setPixmap(icon(verdict_icon(judged, loaded)).pixmap(16, 16))
        self._verdict.setText(verdict_words(judged, loaded) or self.tr("Looking at this computer…"))
        set_kind(self._verdict, verdict_kind(judged, loaded))
        words = self.tr("Load anyway") if self._is_too_big else self.tr("Chat")
        self._chat.setText(words)
        self._chat.setAccessibleName(f"{words}: {judged.title}")
        self.plan_button.setAccessibleName(self.tr("How {0} fits in memory").format(judged.title))
        tip = self.tr("Take {0} off the list").format(judged.title)
        self._remove.setToolTip(tip)
        self._remove.setAccessibleName(tip)
        for button in (self._chat, self.plan_button):
            button.setVisible(not judged.problem)
        self.automatic_button.setAccessibleName(self.tr("Back to automatic: {0}").format(judged.title))
        self._show_automatic()

    def buttons(self) -> tuple[QWidget, ...]:
        """Return what can be pressed, as it is laid out."""
        return self.plan_button, self._chat, self._remove, self.automatic_button

    def unfold(self, panel: QWidget | None) -> None:
        """Show the plan panel in the card; None folds the card."""
        self.plan_button.setChecked(panel is not None)
        self._below.setContentsMargins(0, 6 if panel is not None else 0, 4, 0)
        for label in (self._sign, self._verdict):  # the panel says the same, for the wishes of the moment
            label.setVisible(panel is None)
        self._show_automatic()
        if panel is not None:
            self._below.addWidget(panel)
            panel.show()

    def _show_automatic(self) -> None:
        wished = self.judged.choice != AUTOMATIC and not self.judged.problem
        offered = wished and not self.plan_button.isChecked()
        self.automatic_button.setVisible(offered)
        self._said.setContentsMargins(0, BESIDE_BUTTON_PX if offered else 0, 4, 0)

    def _build(self) -> None:
        said = QWidget()
        self._said = QHBoxLayout(said)
        self._said.setSpacing(6)
        for widget, stretch in ((self._sign, 0), (self._verdict, 1)):
            self._said.addWidget(widget, stretch, Qt.AlignmentFlag.AlignTop)
        second = FoldBox(HEAD_WIDE_PX, 8)
        second.add(said, 1)
        second.add(row_of(self.automatic_button))
        about = QWidget()
        about.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        words = QVBoxLayout(about)
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(2)
        words.addWidget(self._name)
        words.addWidget(self._facts)
        head = FoldBox(HEAD_WIDE_PX, 8)
        head.add(about, 1)
        head.add(row_of(self.plan_button, self._chat, self._remove))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 12, 12)
        layout.setSpacing(6)
        layout.addWidget(head)
        layout.addWidget(second)
        layout.addLayout(self._below)
