"""The model picker: a button with the model's name, a list with a verdict for each model."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QPushButton, QScrollArea, QVBoxLayout, QWidget

from app.actions.verdicts import JudgedModel
from app.gui.icons import icon
from app.gui.models.picker_row import PickerRow
from app.gui.safe_text import one_line
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import plain_label

WIDTH_PX = 440
MAX_HEIGHT_PX = 420


class ModelPicker(QPushButton):
    """Shows the model in use; opens the list of all of them."""

    chosen = Signal(object, bool)
    """A JudgedModel, and whether to load it although it is too big."""

    manage_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models: tuple[JudgedModel, ...] = ()
        self._current = ""
        self._popup: QFrame | None = None
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the arrow stands behind the name
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolTip(self.tr("Choose the model"))
        self.clicked.connect(self.open_list)
        self._refresh()

    @property
    def models(self) -> tuple[JudgedModel, ...]:
        """The models on offer."""
        return self._models

    @property
    def popup(self) -> QFrame | None:
        """The open list, None while it is closed."""
        return self._popup

    def show_models(self, models: Sequence[JudgedModel]) -> None:
        """Offer these models."""
        self._models = tuple(models)
        self._refresh()

    def set_current(self, path: str) -> None:
        """Say which model is in use."""
        self._current = path
        self._refresh()

    def open_list(self) -> None:
        """Show the list below the button, the model in use focused."""
        popup = QFrame(self, Qt.WindowType.Popup)
        popup.setObjectName("popup")
        popup.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        popup.setAccessibleName(self.tr("Models"))
        popup.destroyed.connect(self._on_closed)
        popup.installEventFilter(self)
        layout = QVBoxLayout(popup)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(2)
        layout.addWidget(self._list(popup))
        manage = push_button(self.tr("Manage models…"), self._on_manage, "row", "package")
        layout.addWidget(manage)
        self._popup = popup
        popup.setFixedWidth(WIDTH_PX)
        popup.move(self.mapToGlobal(QPoint(0, self.height() + 4)))
        popup.show()

    def _list(self, popup: QFrame) -> QWidget:
        column = QWidget()
        column.setObjectName("plain")
        rows = QVBoxLayout(column)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        focused: QWidget | None = None
        for judged in self._models:
            row = PickerRow(judged, judged.path == self._current)
            row.chosen.connect(lambda force, judged=judged: self._on_chosen(judged, force))
            rows.addWidget(row)
            if focused is None or judged.path == self._current:
                focused = row.button
        if not self._models:
            rows.addWidget(plain_label(self.tr("There is no model yet. Add or convert one."), "muted", wrap=True))
        scroll = QScrollArea()
        scroll.setWidget(column)
        scroll.setWidgetResizable(True)
        scroll.setFixedHeight(min(MAX_HEIGHT_PX, column.sizeHint().height() + 2))
        if focused is not None:
            focused.setFocus()
        return scroll

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the arrow keys walk through the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and self._popup is not None:
            step = {Qt.Key.Key_Down: True, Qt.Key.Key_Up: False}.get(Qt.Key(event.key()))
            if step is not None:
                self._popup.focusNextPrevChild(step)
                return True
        return super().eventFilter(watched, event)

    def _on_chosen(self, judged: JudgedModel, force: bool) -> None:
        if self._popup is not None:
            self._popup.close()
        self.chosen.emit(judged, force)

    def _on_manage(self) -> None:
        if self._popup is not None:
            self._popup.close()
        self.manage_asked.emit()

    def _on_closed(self) -> None:
        self._popup = None

    def _refresh(self) -> None:
        current = next((judged for judged in self._models if judged.path == self._current), None)
        name = one_line(current.title if current is not None else self.tr("Choose a model"), 48)
        self.setText(name.replace("&", "&&"))
        self.setIcon(icon("caret-down"))
        self.setAccessibleName(self.tr("Model: {0}").format(name))
