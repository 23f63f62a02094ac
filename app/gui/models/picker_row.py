"""One model in the picker: name and size, its verdict, and the way round for one that is too big."""

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.actions.load_choice import AUTOMATIC
from app.actions.verdicts import JudgedModel
from app.core.units import format_size
from app.gui.icons import icon
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import ElidedLabel, plain_label

VERDICT_KINDS = {"gpu": "ok", "partial": "muted", "cpu": "muted", "too_big": "warning"}
VERDICT_ICONS = {"gpu": "lightning", "partial": "stack", "cpu": "cpu", "too_big": "warning"}


class PickerRow(QWidget):
    """A button as wide as the list; `chosen` tells whether to load it although it is too big."""

    chosen = Signal(bool)

    def __init__(self, judged: JudgedModel, current: bool, loaded: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._loaded = loaded
        too_big = judged.verdict == "too_big" and not loaded
        self.button = QPushButton()
        self.button.setProperty("kind", "model")
        self.button.setEnabled(not judged.problem)
        self.button.setAccessibleName(f"{judged.title}, {verdict_words(judged, loaded)}")
        self.button.clicked.connect(lambda: self.chosen.emit(False))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.button, 1)
        if too_big:
            layout.addWidget(push_button(self.tr("Load anyway"), lambda: self.chosen.emit(True), "link"))
        self._fill(judged, current)

    def _fill(self, judged: JudgedModel, current: bool) -> None:
        model = judged.model
        name = ElidedLabel(judged.title)
        name.setProperty("kind", "strong")
        size = plain_label(format_size(model.size_bytes), "muted")
        sign = plain_label()
        sign.setPixmap(icon("check" if current else verdict_icon(judged, self._loaded)).pixmap(16, 16))
        sign.setFixedWidth(20)
        verdict = ElidedLabel(verdict_words(judged, self._loaded))
        verdict.setProperty("kind", verdict_kind(judged, self._loaded))
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(name, 1)
        first.addWidget(size)
        second.addWidget(verdict, 1)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addLayout(first)
        words.addLayout(second)
        inside = QHBoxLayout(self.button)
        inside.setContentsMargins(8, 4, 10, 4)
        inside.setSpacing(8)
        inside.addWidget(sign)
        inside.addLayout(words, 1)
        for label in (name, size, sign, verdict):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)


def verdict_words(judged: JudgedModel, loaded: bool = False) -> str:
    """Return the verdict, or what is wrong with the file; what is loaded and ready is not called too big."""
    if judged.problem or not judged.sentence:
        return judged.problem
    return settings_words(_tr("Loaded") if _runs(judged, loaded) else judged.sentence, judged.choice != AUTOMATIC)


def settings_words(sentence: str, wished: bool) -> str:
    """Return a verdict, and that it is so by the user's own settings where he has `wished` for some."""
    return f"{sentence} · {_tr('with your settings')}" if wished else sentence


def verdict_kind(judged: JudgedModel, loaded: bool = False) -> str:
    """Return the label's kind for a verdict."""
    if judged.problem:
        return "danger"
    return "muted" if _runs(judged, loaded) else VERDICT_KINDS.get(judged.verdict or "", "muted")


def verdict_icon(judged: JudgedModel, loaded: bool = False) -> str:
    """Return the icon that stands with a verdict: no verdict is told by colour alone."""
    if judged.problem:
        return "warning"
    return "check" if _runs(judged, loaded) else VERDICT_ICONS.get(judged.verdict or "", "cube")


def _runs(judged: JudgedModel, loaded: bool) -> bool:
    """Return whether a model runs that is too big by its verdict."""
    return loaded and judged.verdict == "too_big"


def _tr(text: str) -> str:
    return QCoreApplication.translate("verdict", text)
