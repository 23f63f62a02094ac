"""Step 2 of a conversion: types in a table, with exact size, quality and verdict."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHBoxLayout, QHeaderView, QTableView, QVBoxLayout, QWidget

from app.core.units import format_size
from app.gui.convert.tick_delegate import TickDelegate
from app.gui.convert.types import RECOMMENDED, TypeChoice
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import plain_label

ROW_PX = 34


class TypesStep(QFrame):
    """Lets the user tick one type or more; the recommended one is ticked."""

    started = Signal(tuple)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._choices: tuple[TypeChoice, ...] = ()
        self._model = QStandardItemModel(self)
        self._model.itemChanged.connect(self._refresh)
        self._head = plain_label(kind="strong", wrap=True)
        self._table = self._make_table()
        self._sum = plain_label(kind="muted")
        self._start = push_button(self.tr("Convert"), self._on_start, "primary")
        self._bottom = QWidget()
        bottom = QHBoxLayout(self._bottom)
        bottom.setContentsMargins(0, 0, 0, 0)
        bottom.addWidget(self._sum, 1)
        bottom.addWidget(self._start)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(self._head)
        layout.addWidget(self._table)
        layout.addWidget(self._bottom)
        self.fold(False)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The types that are ticked."""
        return tuple(
            choice.name
            for row, choice in enumerate(self._choices)
            if self._model.item(row, 0).checkState() == Qt.CheckState.Checked
        )

    @property
    def choices(self) -> tuple[TypeChoice, ...]:
        """The rows of the table."""
        return self._choices

    def fold(self, folded: bool) -> None:
        """Show only what was chosen, or the whole table."""
        self._table.setVisible(not folded)
        self._bottom.setVisible(not folded)
        names = ", ".join(self.chosen)
        self._head.setText(
            self.tr("2  Types: {0}").format(names) if folded else self.tr("2  Choose one type or several")
        )

    def show_choices(self, choices: Sequence[TypeChoice]) -> None:
        """Fill the table and tick the recommended type."""
        self._choices = tuple(choices)
        self._model.clear()
        self._model.setHorizontalHeaderLabels(
            [self.tr("Type"), self.tr("Size"), self.tr("Quality"), self.tr("On this computer")]
        )
        for choice in choices:
            name = QStandardItem(choice.name)
            name.setEditable(False)
            name.setCheckable(True)
            ticked = choice.name == RECOMMENDED
            name.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            size = QStandardItem(format_size(choice.size_bytes))
            size.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            size.setToolTip(f"{choice.size_bytes:,} bytes")
            self._model.appendRow([name, size, QStandardItem(choice.quality), QStandardItem(choice.verdict)])
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        self._model.horizontalHeaderItem(1).setTextAlignment(right)
        header = self._table.horizontalHeader()
        for column, mode in enumerate(("ResizeToContents", "ResizeToContents", "ResizeToContents", "Stretch")):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode[mode])
        self._table.setFixedHeight(header.sizeHint().height() + ROW_PX * len(choices) + 4)
        self._refresh()

    def tick(self, name: str, ticked: bool) -> None:
        """Tick a type or take its tick away."""
        for row, choice in enumerate(self._choices):
            if choice.name == name:
                self._model.item(row, 0).setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    def _on_start(self) -> None:
        self.started.emit(self.chosen)

    def _refresh(self) -> None:
        if self._model.rowCount() < len(self._choices):
            return
        chosen = self.chosen
        total = sum(choice.size_bytes for choice in self._choices if choice.name in chosen)
        self._sum.setText(
            self.tr("{0} will be written.").format(format_size(total)) if chosen else self.tr("Tick at least one type.")
        )
        self._start.setEnabled(bool(chosen))

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self._model)
        table.setAccessibleName(self.tr("Types"))
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW_PX)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setItemDelegateForColumn(0, TickDelegate(table))
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setTabKeyNavigation(False)
        table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.clicked.connect(lambda index: self._on_clicked(index.row()))
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.horizontalHeader().setHighlightSections(False)
        return table

    def _on_clicked(self, row: int) -> None:
        item = self._model.item(row, 0)
        ticked = item.checkState() == Qt.CheckState.Checked
        item.setCheckState(Qt.CheckState.Unchecked if ticked else Qt.CheckState.Checked)
