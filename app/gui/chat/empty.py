"""What the conversation page shows before the first message."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import plain_label


class EmptyConversation(QWidget):
    """Invites to write, or, without any model, to get one."""

    add_asked = Signal()
    convert_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = plain_label(kind="title")
        self._text = plain_label(kind="muted", wrap=True)
        self._buttons = QWidget()
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 8, 0, 0)
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(push_button(self.tr("Add a model file…"), self.add_asked.emit, "primary"))
        row.addWidget(push_button(self.tr("Convert a checkpoint"), self.convert_asked.emit))
        row.addStretch(1)
        for label in (self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(8)
        layout.addStretch(2)
        layout.addWidget(self._title)
        layout.addWidget(self._text)
        layout.addWidget(self._buttons)
        layout.addStretch(3)
        self.show_model(True)

    @property
    def title(self) -> str:
        """The large line shown."""
        return self._title.text()

    def show_model(self, has_model: bool) -> None:
        """Say what can be done now."""
        self._buttons.setVisible(not has_model)
        if has_model:
            self._title.setText(self.tr("What shall we talk about?"))
            self._text.setText(self.tr("Everything stays on this computer."))
        else:
            self._title.setText(self.tr("No model yet"))
            self._text.setText(self.tr("A model is one GGUF file. Add one you have, or make one of a checkpoint."))
