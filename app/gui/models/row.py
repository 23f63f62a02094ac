"""One model on the models page."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.actions.verdicts import JudgedModel
from app.core.units import format_size
from app.gui.icons import icon
from app.gui.models.picker_row import verdict_icon, verdict_kind, verdict_words
from app.gui.widgets.buttons import icon_button, push_button
from app.gui.widgets.labels import ElidedLabel, plain_label


class ModelRow(QFrame):
    """A card: name, size and type, verdict, Chat and Remove."""

    chat_asked = Signal(bool)
    remove_asked = Signal()

    def __init__(self, judged: JudgedModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.judged = judged
        model = judged.model
        self.setAccessibleName(judged.title)
        name = ElidedLabel(judged.title)
        name.setProperty("kind", "strong")
        facts = " · ".join(part for part in (model.architecture, format_size(model.size_bytes)) if part)
        sign = plain_label()
        sign.setPixmap(icon(verdict_icon(judged)).pixmap(16, 16))
        verdict = ElidedLabel(verdict_words(judged) or self.tr("Looking at this computer…"))
        verdict.setProperty("kind", verdict_kind(judged))
        second = QHBoxLayout()
        second.setSpacing(6)
        second.addWidget(sign)
        second.addWidget(verdict, 1)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(name)
        words.addWidget(plain_label(facts, "muted"))
        words.addLayout(second)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 12, 12, 12)
        layout.setSpacing(8)
        layout.addLayout(words, 1)
        too_big = judged.verdict == "too_big"
        if not judged.problem:
            text = self.tr("Load anyway") if too_big else self.tr("Chat")
            layout.addWidget(push_button(text, lambda: self.chat_asked.emit(too_big)))
        layout.addWidget(icon_button("trash", self.tr("Take off the list"), self.remove_asked.emit))
