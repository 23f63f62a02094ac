"""How a model fits: verdict, sliders that re-plan, a bar for each device, alternatives, reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.actions.load_choice import AUTOMATIC, LoadChoice
from app.gui.icons import icon
from app.gui.plan.alternatives import Alternatives
from app.gui.plan.device_bars import DeviceBars
from app.gui.plan.disclosure import Disclosure
from app.gui.plan.sentences import Figures, Sentences
from app.gui.plan.steps import CONTEXT_UNIT, RESERVE_STEP_BYTES, context_steps, reserve_steps, whole_context
from app.gui.plan.values import PlanView, Reading
from app.gui.plan.wish_slider import WishSlider
from app.gui.plan.words import figures, placement_line, source_line, verdict_line
from app.gui.widgets.buttons import push_button
from app.gui.widgets.fold_box import FoldBox
from app.gui.widgets.labels import SteadyLabel, plain_label, set_kind

if TYPE_CHECKING:
    from app.plan.values import DevicePlan, LoadPlan

GB = 10**9
SLIDERS_WIDE_PX = 560
BUTTONS_WIDE_PX = 400
VERDICT_ICONS = {"gpu": "lightning", "partial": "stack", "cpu": "cpu", "too_big": "warning"}


class PlanPanel(QWidget):
    """Shows what its control tells it and passes the user's wishes on."""

    wished = Signal(object)
    """A LoadChoice."""

    automatic_asked = Signal()
    load_asked = Signal(bool)
    """Whether to load although the model is too big."""

    begun = Signal()
    """What is shown next is about another model."""

    visibility_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plain")
        self.setAccessibleName(self.tr("How the model fits in memory"))
        self._view = PlanView()
        self._choice = AUTOMATIC
        self._reading: Reading | None = None
        self._sign = plain_label()
        self._sign.setFixedWidth(16)
        self._verdict = SteadyLabel("strong")
        self._placement = SteadyLabel("muted")
        self._source = SteadyLabel("muted")
        self.context = WishSlider(self.tr("Context"), self.tr("Context in tokens"), self.tr(" tokens"))
        self.reserve = WishSlider(self.tr("Kept free"), self.tr("Memory to keep free, in gigabytes"), " GB", GB, 2)
        self.automatic_button = push_button(self.tr("Back to automatic"), self.automatic_asked.emit, "link")
        self.load_button = push_button(self.tr("Load with these settings"), self._on_load, "primary")
        self.bars = DeviceBars()
        self.alternatives = Alternatives()
        self.reasons = Sentences()
        self._figures = Figures()
        self._body = QWidget()
        self._build()
        self.context.changed.connect(lambda tokens: self._wish(replace(self._choice, context=whole_context(tokens))))
        self.reserve.changed.connect(lambda size: self._wish(replace(self._choice, reserve_bytes=size)))
        self.alternatives.chosen.connect(lambda tokens: self._wish(replace(self._choice, context=tokens)))
        self.show_message(self.tr("Choose a model to see how it uses memory."))

    @property
    def view(self) -> PlanView:
        """What is shown."""
        return self._view

    @property
    def verdict(self) -> str:
        """The verdict in one line."""
        return self._verdict.text()

    @property
    def placement(self) -> str:
        """Layers, context and KV type in one line."""
        return self._placement.text()

    @property
    def source(self) -> str:
        """Where the sizes come from, and the speeds."""
        return self._source.text()

    def begin(self) -> None:
        """Forget what was shown: another model follows."""
        self.show_message("")
        for label in (self._verdict, self._placement, self._source):
            label.forget()
        self.begun.emit()

    def show_message(self, text: str, kind: str = "muted") -> None:
        """Say why there is nothing to show."""
        self._view = PlanView()
        self._body.hide()
        self._sign.hide()
        self._placement.hide()
        self._source.hide()
        self._verdict.setText(text)
        set_kind(self._verdict, kind)

    def show_view(self, view: PlanView, loaded: bool = False) -> None:
        """Show a plan and the wishes it was made for; `loaded` when the engine runs with just these."""
        plan = view.plan
        if plan is None:
            if view.problem:
                self.show_message(view.problem, "danger")
            return
        self._set_steps(view, plan)
        self._view, self._choice = view, view.choice
        self._show_words(view, plan)
        self._show_wishes(view, plan)
        self._show_buttons(view, plan, loaded)
        self._show_bars()
        self.alternatives.show_plans([other for other in plan.alternatives if other.context != plan.context])
        since = (self.tr("When it was loaded:"),) if view.source == "loaded" else ()
        self.reasons.show_texts((*since, *plan.reasons))
        self._figures.show_rows(figures(plan))
        self._body.show()

    def show_reading(self, reading: Reading | None) -> None:
        """Show what other programs leave free now beside a model that is loaded; a plan shows its own moment."""
        self._reading = reading
        self._show_bars()

    def showEvent(self, event: QShowEvent) -> None:
        """Tell that somebody looks."""
        super().showEvent(event)
        self.visibility_changed.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Tell that nobody looks any more."""
        super().hideEvent(event)
        self.visibility_changed.emit(False)

    def _show_bars(self) -> None:
        view = self._view
        if view.plan is not None:
            self.bars.show_plan(view.plan, view.devices, self._reading if view.source == "loaded" else None)

    def _show_words(self, view: PlanView, plan: LoadPlan) -> None:
        too_big = plan.verdict == "too_big"
        is_there = too_big and view.is_ready  # it does run: what the plan feared is told below
        self._sign.setPixmap(icon("check" if is_there else VERDICT_ICONS[plan.verdict]).pixmap(16, 16))
        self._verdict.setText(self.tr("Loaded") if is_there else verdict_line(plan))
        set_kind(self._verdict, "warning" if too_big and not is_there else "strong")
        self._placement.setText(placement_line(plan, view.devices))
        self._source.setText(view.problem or source_line(plan, view.source, view.measured_bytes))
        set_kind(self._source, "danger" if view.problem else "muted")
        for label in (self._sign, self._placement, self._source):
            label.show()

    def _show_wishes(self, view: PlanView, plan: LoadPlan) -> None:
        choice, automatic = view.choice, self.tr("automatic")
        reserve = choice.reserve_bytes
        self.context.show_value(choice.context or plan.context, automatic if choice.context is None else "")
        kept = _kept_device(plan).reserve_bytes if reserve is None else reserve
        self.reserve.show_value(kept, automatic if reserve is None else "")
        self.reserve.setToolTip(
            self.tr("Memory of each graphics card that the model leaves alone, for its driver and other programs.")
            if plan.devices
            else self.tr("Main memory that the model leaves alone, for the system and other programs.")
        )

    def _show_buttons(self, view: PlanView, plan: LoadPlan, loaded: bool) -> None:
        too_big = plan.verdict == "too_big"
        words = self.tr("Load anyway") if too_big else self.tr("Load with these settings")
        self.load_button.setText(words)
        self.load_button.setAccessibleName(words)
        set_kind(self.load_button, "" if too_big else "primary")
        self.load_button.setEnabled(not loaded)
        self.load_button.setToolTip(self.tr("The model is loaded with these settings.") if loaded else "")
        self.automatic_button.setEnabled(view.choice != AUTOMATIC)

    def _set_steps(self, view: PlanView, plan: LoadPlan) -> None:
        contexts = context_steps(max(view.trained_context, 0))
        most = max(contexts[-1], plan.context, view.choice.context or 0)
        self.context.set_steps(contexts, CONTEXT_UNIT, most, 4 * CONTEXT_UNIT)
        total = _kept_device(plan).total_bytes
        self.reserve.set_steps(reserve_steps(total), 0, max(total, view.choice.reserve_bytes or 0), RESERVE_STEP_BYTES)

    def _wish(self, choice: LoadChoice) -> None:
        if self._view.plan is not None and choice != self._choice:
            self._choice = choice  # the plan for it may take a moment, the next wish builds on it
            self.wished.emit(choice)

    def _on_load(self) -> None:
        plan = self._view.plan
        if plan is not None:
            self.load_asked.emit(plan.verdict == "too_big")

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self._verdict, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self._placement)
        layout.addWidget(self._source)
        layout.addWidget(self._body)
        sliders = FoldBox(SLIDERS_WIDE_PX)
        sliders.add(self.context, 1)
        sliders.add(self.reserve, 1)
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 8, 0, 0)
        body.setSpacing(16)
        body.addWidget(sliders)
        body.addWidget(self._buttons())
        body.addWidget(self.bars)
        body.addWidget(self.alternatives)
        body.addWidget(Disclosure(self.tr("Why"), self.reasons, opened=True))
        body.addWidget(Disclosure(self.tr("Details"), self._figures, opened=False))

    def _buttons(self) -> QWidget:
        buttons = FoldBox(BUTTONS_WIDE_PX, 8)
        buttons.add(self.load_button)
        buttons.add(self.automatic_button)
        buttons.add_stretch()
        return buttons


def _kept_device(plan: LoadPlan) -> DevicePlan:
    """Return the device whose reserve the user may choose: the GPUs' (shown for the first), else main memory's."""
    return plan.devices[0] if plan.devices else plan.host
