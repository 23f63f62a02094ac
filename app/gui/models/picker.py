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
    list_opened = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models: tuple[JudgedModel, ...] = ()
        self._current = ""
        self._loaded = ""
        self._popup: QFrame | None = None
        self._area: QScrollArea | None = None
        self._stops: list[QPushButton] = []
        self._focused: QPushButton | None = None
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
        changed = tuple(models) != self._models
        self._models = tuple(models)
        self._refresh()
        if changed:
            self._refill()

    def set_current(self, path: str) -> None:
        """Say which model is in use."""
        self._current = path
        self._refresh()

    def set_loaded(self, path: str) -> None:
        """Say which model is loaded and ready, "" for none."""
        self._loaded = path

    def open_list(self) -> None:
        """Show the list below the button, the model in use focused."""
        popup = QFrame(self, Qt.WindowType.Popup)
        popup.setObjectName("popup")
        popup.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        popup.setAccessibleName(self.tr("Models"))
        popup.destroyed.connect(self._on_closed)
        layout = QVBoxLayout(popup)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(2)
        layout.addWidget(self._scroll())
        manage = push_button(self.tr("Manage models…"), self._on_manage, "row", "package")
        layout.addWidget(manage)
        self._stops.append(manage)
        self._popup = popup
        popup.setFixedWidth(WIDTH_PX)
        popup.move(self.mapToGlobal(QPoint(0, self.height() + 4)))
        popup.show()
        self._focus_current()
        self.list_opened.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open with Enter and Down too, not only with Space."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down):
            self.open_list()
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let Up and Down walk through the list, Enter choose and Esc close it."""
        if not isinstance(event, QKeyEvent) or not isinstance(watched, QPushButton):
            return super().eventFilter(watched, event)
        key = Qt.Key(event.key())
        if key not in (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        elif event.type() == QEvent.Type.KeyPress:
            self._on_key(watched, key)
        return True

    def _on_key(self, button: QPushButton, key: Qt.Key) -> None:
        if key == Qt.Key.Key_Escape:
            self._close()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            button.click()
        else:
            stops = [stop for stop in self._stops if stop.isEnabled()]
            step = 1 if key == Qt.Key.Key_Down else -1
            at = min(max(stops.index(button) + step, 0), len(stops) - 1) if button in stops else 0
            self._focus(stops[at])

    def _scroll(self) -> QScrollArea:
        self._stops = []
        self._focused = None
        column = QWidget()
        column.setObjectName("plain")
        rows = QVBoxLayout(column)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        for judged in self._models:
            row = PickerRow(judged, judged.path == self._current, judged.path == self._loaded)
            row.chosen.connect(lambda force, judged=judged: self._on_chosen(judged, force))
            rows.addWidget(row)
            self._stops += row.findChildren(QPushButton)
            if judged.path == self._current:
                self._focused = row.button
        if not self._models:
            rows.addWidget(plain_label(self.tr("There is no model yet. Add or convert one."), "muted", wrap=True))
        scroll = QScrollArea()
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(column)
        scroll.setWidgetResizable(True)
        scroll.setFixedHeight(min(MAX_HEIGHT_PX, column.sizeHint().height() + 2))
        self._area = scroll
        return scroll

    def _focus_current(self) -> None:
        for stop in self._stops:
            stop.installEventFilter(self)
        first = next((stop for stop in self._stops if stop.isEnabled()), None)
        focused = self._focused if self._focused is not None and self._focused.isEnabled() else first
        if focused is not None:
            self._focus(focused)

    def _focus(self, button: QPushButton) -> None:
        button.setFocus(Qt.FocusReason.TabFocusReason)
        if self._area is not None and self._area.isAncestorOf(button):
            self._area.ensureWidgetVisible(button, 0, 8)

    def _refill(self) -> None:
        """Show models that came or went while the list is open."""
        popup = self._popup
        if popup is not None and self._area is not None and (layout := popup.layout()) is not None:
            old, manage = self._area, self._stops[-1]
            layout.replaceWidget(old, self._scroll())
            old.hide()
            old.deleteLater()
            self._stops.append(manage)
            popup.adjustSize()
            self._focus_current()

    def _close(self) -> None:
        if self._popup is not None:
            self._popup.close()

    def _on_chosen(self, judged: JudgedModel, force: bool) -> None:
        self._close()
        self.chosen.emit(judged, force)

    def _on_manage(self) -> None:
        self._close()
        self.manage_asked.emit()

    def _on_closed(self) -> None:
        self._popup = self._area = self._focused = None
        self._stops = []

    def _refresh(self) -> None:
        current = next((judged for judged in self._models if judged.path == self._current), None)
        name = one_line(current.title if current is not None else self.tr("Choose a model"), 48)
        self.setText(name.replace("&", "&&"))
        self.setIcon(icon("caret-down"))
        self.setAccessibleName(self.tr("Model: {0}").format(name))
