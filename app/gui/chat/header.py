"""The conversation's head: which model answers, what that means on this computer, and the switch for its plan."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QWidget

from app.gui.engine_control import EngineState
from app.gui.models.picker import ModelPicker
from app.gui.widgets.buttons import icon_button, push_button
from app.gui.widgets.labels import ElidedLabel, set_kind

HEIGHT_PX = 52


class ChatHeader(QFrame):
    """One line above the messages."""

    details_toggled = Signal(bool)
    load_cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self.setFixedHeight(HEIGHT_PX)
        self.picker = ModelPicker(self)
        self._verdict = ElidedLabel()
        self._verdict.setProperty("kind", "muted")
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(120)
        self._progress.setAccessibleName(self.tr("Loading"))
        self._cancel = push_button(self.tr("Cancel"), self.load_cancelled.emit, "link")
        self._details = icon_button("chart-bar", self.tr("How it fits in memory (Ctrl+D)"), lambda: None)
        self._details.setCheckable(True)
        self._details.toggled.connect(self.details_toggled)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 12, 8)
        layout.setSpacing(12)
        layout.addWidget(self.picker)
        layout.addWidget(self._progress)
        layout.addWidget(self._cancel)
        layout.addWidget(self._verdict, 1)
        layout.addWidget(self._details)
        self._sentence = ""
        self.show_state(EngineState())

    @property
    def verdict(self) -> str:
        """The sentence shown beside the picker."""
        return self._verdict.accessibleName()

    def show_verdict(self, sentence: str) -> None:
        """Say what the model's plan is."""
        self._sentence = sentence
        self._verdict.setText(sentence)

    def show_state(self, state: EngineState) -> None:
        """Follow the engine: percent and Cancel while it loads, the reason when it failed."""
        loading = state.kind == "loading"
        self._progress.setVisible(loading)
        self._progress.setValue(state.percent)
        self._cancel.setVisible(loading)
        set_kind(self._verdict, "danger" if state.kind == "failed" else "muted")
        if loading:
            self._verdict.setText(self.tr("Loading… {0} %").format(state.percent))
        elif state.kind == "restarting":
            self._verdict.setText(self.tr("The engine stopped. Starting it again…"))
        elif state.kind == "failed":
            self._verdict.setText(state.reason)
        else:
            self._verdict.setText(self._sentence)

    def show_details(self) -> None:
        """Show the details."""
        self._details.setChecked(True)

    def toggle_details(self) -> None:
        """Show or hide the details, as the button does."""
        self._details.toggle()
