"""A heading that unfolds what stands below it."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.gui.icons import icon
from app.gui.widgets.buttons import push_button


class Disclosure(QWidget):
    """A button and a body; the button says whether the body is shown."""

    def __init__(self, title: str, body: QWidget, opened: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._body = body
        self.button = push_button(title, self._on_clicked, "disclosure")
        self.button.setCheckable(True)
        self.button.setChecked(opened)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.button)
        layout.addWidget(body)
        self._on_clicked()

    def _on_clicked(self) -> None:
        opened = self.button.isChecked()
        self._body.setVisible(opened)
        self.button.setIcon(icon("caret-down" if opened else "caret-right"))
        self.button.setAccessibleDescription(self.tr("unfolded") if opened else self.tr("folded"))
