"""One wish of the plan: a slider over values that make sense, and a field for the exact one."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from app.gui.plan.steps import nearest
from app.gui.widgets.labels import plain_label

FIELD_PX = 132
MOST_DIGITS = 9_999_999
"""What the field lets through as it is typed; what is more than there can be becomes the most, for all to see."""


class WishSlider(QWidget):
    """Shows a value in units of `unit`; `changed` tells what the user made it, never what show_value() did."""

    changed = Signal(object)
    """An int, in single bytes or tokens: beyond what Qt's int holds."""

    def __init__(
        self, title: str, name: str, suffix: str, unit: int = 1, decimals: int = 0, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._title = title
        self._unit = unit
        self._steps: tuple[int, ...] = (0,)
        self._most = 0
        self._value = 0
        self._showing = False
        self._label = plain_label(title, "strong")
        self._hint = plain_label(kind="muted")
        self.field = _Field()
        self.field.setDecimals(decimals)
        self.field.setSuffix(suffix)
        self.field.setAccessibleName(name)
        self.slider = _Slider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(name)
        self.slider.setPageStep(2)
        self._build()
        self.slider.valueChanged.connect(self._on_slider)
        self.field.valueChanged.connect(self._on_field)

    @property
    def value(self) -> int:
        """The value shown."""
        return self._value

    @property
    def steps(self) -> tuple[int, ...]:
        """What the slider stops at."""
        return self._steps

    def set_steps(self, steps: Sequence[int], least: int, most: int, single_step: int) -> None:
        """Let the slider stop at `steps` and the field take anything from `least` to `most`."""
        self._showing = True
        self._steps = tuple(steps)
        self._most = most
        self.slider.setRange(0, len(self._steps) - 1)
        self.field.setRange(least / self._unit, max(MOST_DIGITS, most / self._unit))
        self.field.setSingleStep(single_step / self._unit)
        self._showing = False

    def show_value(self, value: int, hint: str = "") -> None:
        """Show a value that the user did not choose just now, and say where it comes from."""
        self._hint.setText(hint)
        if self.field.hasFocus() and self._value == value:
            return  # what is being typed stays
        self._showing = True
        self._value = value
        self.slider.setValue(nearest(self._steps, value))
        self.field.setValue(value / self._unit)
        self._describe()
        self._showing = False

    def _on_slider(self, position: int) -> None:
        if not self._showing:
            self._choose(self._steps[position])

    def _on_field(self, value: float) -> None:
        if self._showing:
            return
        wanted = round(value * self._unit)
        if wanted > self._most:
            self._showing = True
            self.field.setValue(self._most / self._unit)
            self._showing = False
        self._choose(min(wanted, self._most))

    def _choose(self, value: int) -> None:
        self.show_value(value)
        self.changed.emit(value)

    def _describe(self) -> None:
        """Tell a screen reader the value: it would read the slider's position."""
        self.slider.setAccessibleDescription(self.field.text())

    def _build(self) -> None:
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(self._label)
        first.addWidget(self._hint, 1)
        first.addWidget(self.field)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addWidget(self.slider)


class _Slider(QSlider):
    """A slider that leaves the wheel to the page."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class _Field(QDoubleSpinBox):
    """A number field that leaves the wheel to the page and tells a typed number once it is whole."""

    def __init__(self) -> None:
        super().__init__()
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setGroupSeparatorShown(True)
        self.setKeyboardTracking(False)
        self.setFixedWidth(FIELD_PX)
        self.lineEdit().setTextMargins(0, 0, 6, 0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()
