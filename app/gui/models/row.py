"""One model on the models page."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.actions.verdicts import JudgedModel
from app.core.units import format_size
from app.gui.icons import icon
from app.gui.models.picker_row import verdict_icon, verdict_kind, verdict_words
from app.gui.widgets.buttons import icon_button, push_button
from app.gui.widgets.labels import ElidedLabel, plain_label, set_kind


class ModelRow(QFrame):
    """A card: name, size and type, verdict, Chat, How it fits, Remove; the plan unfolds below."""

    chat_asked = Signal(bool)
    plan_asked = Signal()
    remove_asked = Signal()

    def __init__(self, judged: JudgedModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.judged = judged
        self._name = ElidedLabel()
        self._name.setProperty("kind", "strong")
        self._facts = ElidedLabel()
        self._facts.setProperty("kind", "muted")
        self._sign = plain_label()
        self._verdict = plain_label(wrap=True)
        self._chat = push_button("", lambda: self.chat_asked.emit(self.judged.verdict == "too_big"))
        self.plan_button = push_button(self.tr("How it fits"), self.plan_asked.emit)
        self.plan_button.setCheckable(True)
        self._remove = icon_button("trash", "", self.remove_asked.emit)
        self._below = QVBoxLayout()
        self._build()
        self.show_model(judged)

    def show_model(self, judged: JudgedModel) -> None:
        """Show a newer verdict of the same model."""
        self.judged = judged
        model = judged.model
        self.setAccessibleName(judged.title)
        self._name.setText(judged.title)
        self._facts.setText(" · ".join(part for part in (model.architecture, format_size(model.size_bytes)) if part))
        self._sign.setPixmap(icon(verdict_icon(judged)).pixmap(16, 16))
        self._verdict.setText(verdict_words(judged) or self.tr("Looking at this computer…"))
        set_kind(self._verdict, verdict_kind(judged))
        words = self.tr("Load anyway") if judged.verdict == "too_big" else self.tr("Chat")
        self._chat.setText(words)
        self._chat.setAccessibleName(f"{words}: {judged.title}")
        self.plan_button.setAccessibleName(self.tr("How {0} fits in memory").format(judged.title))
        tip = self.tr("Take {0} off the list").format(judged.title)
        self._remove.setToolTip(tip)
        self._remove.setAccessibleName(tip)
        for button in (self._chat, self.plan_button):
            button.setVisible(not judged.problem)

    def buttons(self) -> tuple[QWidget, ...]:
        """Return what can be pressed, as it is laid out."""
        return self.plan_button, self._chat, self._remove

    def unfold(self, panel: QWidget | None) -> None:
        """Show the plan panel in the card; None folds the card."""
        self.plan_button.setChecked(panel is not None)
        self._below.setContentsMargins(0, 6 if panel is not None else 0, 4, 0)
        for label in (self._sign, self._verdict):  # the panel says the same, for the wishes of the moment
            label.setVisible(panel is None)
        if panel is not None:
            self._below.addWidget(panel)
            panel.show()

    def _build(self) -> None:
        second = QHBoxLayout()
        second.setSpacing(6)
        second.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        second.addWidget(self._verdict, 1)
        about = QWidget()
        about.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        words = QVBoxLayout(about)
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(2)
        words.addWidget(self._name)
        words.addWidget(self._facts)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(about, 1)
        for button in (self.plan_button, self._chat, self._remove):
            head.addWidget(button)
        second.setContentsMargins(0, 0, 4, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 12, 12)
        layout.setSpacing(6)
        layout.addLayout(head)
        layout.addLayout(second)
        layout.addLayout(self._below)
