"""The models page: what is in the library, what each model would do here, add and remove."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from app.actions.load_choice import AUTOMATIC, keep_choice
from app.actions.verdicts import JudgedModel
from app.gui.engine_control import EngineState
from app.gui.library_control import LibraryView
from app.gui.measure.card import MeasureCard
from app.gui.measure.control import MeasureControl
from app.gui.models.row import ModelRow
from app.gui.plan.control import PlanControl
from app.gui.plan.panel import PlanPanel
from app.gui.plan.world import PlanWorld
from app.gui.widgets.buttons import push_button
from app.gui.widgets.column import page_column
from app.gui.widgets.fold_box import FoldBox
from app.gui.widgets.labels import plain_label
from app.gui.widgets.notice import Notice

COLUMN_PX = 760
HEAD_WIDE_PX = 480

if TYPE_CHECKING:
    from app.actions.models import LibraryModel, RemovedModel


class ModelsPage(QWidget):
    """A list of models; each can be talked to, planned, or taken off the list."""

    chat_asked = Signal(object, bool)
    load_asked = Signal(object, object, bool)
    """A JudgedModel, the LoadChoice, and whether to load although it is too big."""

    convert_asked = Signal()

    def __init__(self, world: PlanWorld, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._pronk = world.pronk
        self._library = world.library
        self._engine = world.engine
        self._loaded = ""
        self.notice = Notice(self)
        self.panel = PlanPanel()
        self.panel.hide()
        self.plans = PlanControl(world, self.panel, self)
        self.plans.load_asked.connect(self.load_asked)
        self.measure = MeasureCard()
        self.measuring = MeasureControl(world, self.measure, self.notice, self)
        self.rows: list[ModelRow] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(8)
        self._empty = plain_label(
            self.tr(
                "The library is empty. Add a GGUF file that you have, or convert a checkpoint "
                "(a folder with config.json and *.safetensors) to one."
            ),
            "muted",
            wrap=True,
        )
        self._build()
        self._library.changed.connect(self._on_changed)
        self._library.added.connect(self._on_added)
        self._library.removed.connect(self._on_removed)
        self._library.failed.connect(self.notice.show_error)
        self._engine.changed.connect(self._on_engine)
        self._on_changed(self._library.view)

    def choose_file(self) -> None:
        """Ask for a GGUF file and add it."""
        dialog = QFileDialog(self, self.tr("Add a model file"), str(Path.home()), self.tr("GGUF models (*.gguf)"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(self._on_files)
        dialog.open()

    def show_plan(self, row: ModelRow | None) -> None:
        """Unfold this model's plan in its card, and fold the one that was open."""
        for other in self.rows:
            if other is not row:
                other.unfold(None)
        self.panel.hide()
        self.plans.target(row.judged if row is not None else None)
        if row is not None:
            row.unfold(self.panel)
        self._order_tabs()

    def _on_files(self, names: list[str]) -> None:
        for name in names:
            self._library.add(Path(name))

    def _build(self) -> None:
        head = FoldBox(HEAD_WIDE_PX, 8)
        head.add(plain_label(self.tr("Models"), "title"), 1)
        head.add(push_button(self.tr("Convert a checkpoint"), self.convert_asked.emit))
        head.add(push_button(self.tr("Add a model file…"), self.choose_file, "primary"))
        inner = page_column(self, COLUMN_PX)
        inner.addWidget(head)
        inner.addWidget(self.notice)
        inner.addWidget(self._empty)
        inner.addLayout(self._list)
        inner.addWidget(self.measure)
        inner.addStretch(1)

    def _on_changed(self, view: LibraryView) -> None:
        """Show the list; cards of models that stay are kept, with the keyboard and the plan in them."""
        kept = {row.judged.path: row for row in self.rows}
        rows = [kept.pop(judged.path) if judged.path in kept else self._row(judged) for judged in view.models]
        for row in kept.values():
            self._drop(row)
        for at, (row, judged) in enumerate(zip(rows, view.models, strict=True)):
            row.show_model(judged, judged.path == self._loaded)
            if self._list.indexOf(row) != at:
                self._list.insertWidget(at, row)
        self.rows = rows
        self._empty.setVisible(not rows)
        self._order_tabs()

    def _order_tabs(self) -> None:
        """Let Tab go as the eye does: every card with the plan that is unfolded in it, then the measuring."""
        stops: list[QWidget] = []
        for row in self.rows:
            stops += row.buttons()
            stops += focus_chain(self.panel) if row.isAncestorOf(self.panel) else ()
        for first, second in pairwise([*stops, *focus_chain(self.measure)]):
            QWidget.setTabOrder(first, second)

    def _row(self, judged: JudgedModel) -> ModelRow:
        row = ModelRow(judged)
        row.chat_asked.connect(lambda force: self.chat_asked.emit(row.judged, force))
        row.plan_asked.connect(lambda: self.show_plan(row if row.plan_button.isChecked() else None))
        row.automatic_asked.connect(lambda: self._on_automatic(row))
        row.remove_asked.connect(lambda: self._library.remove(row.judged.model))
        return row

    def _on_automatic(self, row: ModelRow) -> None:
        """Forget the wishes kept for a model: it is judged, and loaded next time, as the planner has it."""
        keep_choice(self._pronk, row.judged.path, AUTOMATIC)
        row.plan_button.setFocus()  # the link goes
        self._library.refresh()

    def _on_engine(self, state: EngineState) -> None:
        loaded = state.path if state.kind == "ready" else ""
        if loaded != self._loaded:
            self._loaded = loaded
            for row in self.rows:
                row.show_model(row.judged, row.judged.path == loaded)

    def _drop(self, row: ModelRow) -> None:
        if row.isAncestorOf(self.panel):
            self.show_plan(None)
            self.panel.setParent(None)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _on_added(self, model: LibraryModel) -> None:
        self.notice.show_text(self.tr("{0} is in the library.").format(model.name))

    def _on_removed(self, removed: RemovedModel) -> None:
        self.notice.show_undo(
            self.tr("{0} is off the list. Its file stays where it is.").format(removed.name),
            lambda: self._library.restore(removed),
        )


def focus_chain(widget: QWidget) -> list[QWidget]:
    """Return what Tab stops at inside a widget, in its order."""
    inside: list[QWidget] = []
    at = widget.nextInFocusChain()
    while at is not None and at is not widget:
        if widget.isAncestorOf(at) and at.focusPolicy() & Qt.FocusPolicy.TabFocus:
            inside.append(at)
        at = at.nextInFocusChain()
    return inside
