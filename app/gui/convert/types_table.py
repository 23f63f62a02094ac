"""The table of types: tick boxes, sizes, what each is good for, how it would run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QResizeEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from app.core.units import format_size
from app.gui.convert.tick_delegate import TickDelegate
from app.gui.convert.types import RECOMMENDED, quality_text
from app.gui.convert.words import verdict_text
from app.gui.icons import icon
from app.gui.theme import current_theme
from app.gui.widgets.labels import plain_tooltip

if TYPE_CHECKING:
    from app.actions.conversion_plan import ForetoldVerdict, PlannedFile

ROW_PX = 34
BORDER_PX = 4
LEAST_QUALITY_PX = 200
TYPE, SIZE, QUALITY, VERDICT, SPEED = range(5)
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
VERDICT_ICONS = {"gpu": "lightning", "partial": "stack", "cpu": "cpu", "too_big": "warning"}
Index = QModelIndex | QPersistentModelIndex
Resize = QHeaderView.ResizeMode


class TypesTable(QTableView):
    """A row for each file, ticked by a click or Space; it is as high as its rows and never scrolls."""

    changed = Signal()
    """Other types are ticked."""
    row_changed = Signal(int)
    """The keyboard is on another row."""
    entered_return = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._files: tuple[PlannedFile, ...] = ()
        self._free_bytes = 0
        self._items = QStandardItemModel(self)
        self._items.itemChanged.connect(self._on_item_changed)
        self.setModel(self._items)
        self.setAccessibleName(self.tr("Types"))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setItemDelegateForColumn(TYPE, TickDelegate(self))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # A header with a ground of its own would hide the corners of the focus ring.
        self.horizontalHeader().setStyleSheet("QHeaderView::section { background: transparent; }")
        self.horizontalHeader().setHighlightSections(False)
        self.clicked.connect(lambda index: self._toggle(index.row()))

    @property
    def chosen(self) -> tuple[str, ...]:
        """The types that are ticked, the smallest first."""
        return tuple(file.type for row, file in enumerate(self._files) if self._is_ticked(row))

    @property
    def visible_types(self) -> tuple[str, ...]:
        """The types whose rows are shown."""
        return tuple(file.type for row, file in enumerate(self._files) if not self.isRowHidden(row))

    def cell(self, name: str, column: int) -> QStandardItem:
        """Return a cell of a type's row."""
        return self._items.item(next(row for row, file in enumerate(self._files) if file.type == name), column)

    def fill(self, files: tuple[PlannedFile, ...], free_bytes: int) -> None:
        """Show these files in their order, the recommended one ticked."""
        self._items.clear()
        self.show_disk(files, free_bytes)
        self._items.setHorizontalHeaderLabels(
            [self.tr("Type"), self.tr("Size"), self.tr("Quality"), self.tr("On this computer"), self.tr("Speed")]
        )
        for column in range(self._items.columnCount()):
            left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            self._items.horizontalHeaderItem(column).setTextAlignment(RIGHT if column in (SIZE, SPEED) else left)
        for file in files:
            self._items.appendRow(self._row(file))
        self.colour()
        recommended = next((row for row, file in enumerate(files) if file.type == RECOMMENDED), 0)
        self.setCurrentIndex(self._items.index(recommended, TYPE))

    def show_disk(self, files: tuple[PlannedFile, ...], free_bytes: int) -> None:
        """Take other figures of the disk for the same files."""
        self._files = files
        self._free_bytes = free_bytes
        if self._items.rowCount():
            self.colour()

    def show_verdicts(self, verdicts: Mapping[str, ForetoldVerdict]) -> None:
        """Say how each type would run here."""
        for file in self._files:
            told = verdicts.get(file.type)
            if told is None:
                continue
            cell, speed = self.cell(file.type, VERDICT), self.cell(file.type, SPEED)
            cell.setText(verdict_text(told.verdict or "", told.n_gpus) or self.tr("cannot be told"))
            cell.setIcon(icon(VERDICT_ICONS.get(told.verdict or "", "question")))
            cell.setToolTip(plain_tooltip("\n".join(told.reasons) or told.problem))
            speed.setText(self.tr("{0} tok/s").format(told.tokens_per_s) if told.tokens_per_s else "")
            speed.setToolTip(self.tr("Foretold, not measured"))
        self.lay_out()

    def show_only(self, types: Collection[str]) -> None:
        """Show the rows of these types."""
        for row, file in enumerate(self._files):
            self.setRowHidden(row, file.type not in types)
        self.lay_out()

    def tick(self, name: str, ticked: bool) -> None:
        """Tick a type or take its tick away."""
        self.cell(name, TYPE).setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    def colour(self) -> None:
        """Mark what is larger than the free disk, in the theme's colours."""
        theme = current_theme()
        for file in self._files:
            fits = file.needed_bytes <= self._free_bytes
            cell = self.cell(file.type, SIZE)
            cell.setForeground(QColor(theme.text if fits else theme.danger))
            cell.setIcon(QIcon() if fits else icon("warning", "danger"))
            exact = self.tr("{0} bytes").format(f"{file.size_bytes:,}")
            cell.setToolTip(exact if fits else f"{exact}: {self.tr('more than is free on this disk')}")

    def lay_out(self) -> None:
        """Give every column the room its words need, the quality what is left; take the height of the rows."""
        speeds = (self.cell(file.type, SPEED).text() for file in self._files)
        self.setColumnHidden(SPEED, not any(speeds))
        self._share_width()
        header_px = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(header_px + ROW_PX * len(self.visible_types) + BORDER_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the quality out where there is no room for its words."""
        super().resizeEvent(event)
        if self._files:
            self._share_width()

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Tell which row the keyboard is on."""
        super().currentChanged(current, previous)
        if current.isValid():
            self.row_changed.emit(current.row())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tick with Space, go on with Enter."""
        if event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            self._toggle(self.currentIndex().row())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered_return.emit()
        else:
            super().keyPressEvent(event)

    def _row(self, file: PlannedFile) -> list[QStandardItem]:
        name, size, quality, speed = (
            QStandardItem(text) for text in (file.type, format_size(file.size_bytes), quality_text(file.type), "")
        )
        name.setCheckable(True)
        name.setCheckState(Qt.CheckState.Checked if file.type == RECOMMENDED else Qt.CheckState.Unchecked)
        name.setToolTip(quality.text())
        size.setTextAlignment(RIGHT)
        speed.setTextAlignment(RIGHT)
        return [name, size, quality, QStandardItem(self.tr("looking…")), speed]

    def _share_width(self) -> None:
        header = self.horizontalHeader()
        others = (column for column in (TYPE, SIZE, VERDICT, SPEED) if not self.isColumnHidden(column))
        needed_px = sum(max(self.sizeHintForColumn(column), header.sectionSizeHint(column)) for column in others)
        narrow = self.width() - needed_px < LEAST_QUALITY_PX
        self.setColumnHidden(QUALITY, narrow)
        for column in range(self._items.columnCount()):
            widest = VERDICT if narrow else QUALITY
            header.setSectionResizeMode(column, Resize.Stretch if column == widest else Resize.ResizeToContents)

    def _is_ticked(self, row: int) -> bool:
        item = self._items.item(row, TYPE)
        return item is not None and item.checkState() == Qt.CheckState.Checked

    def _toggle(self, row: int) -> None:
        self.tick(self._files[row].type, not self._is_ticked(row))

    def _on_item_changed(self, item: QStandardItem) -> None:
        if item.column() == TYPE and self._items.rowCount() == len(self._files):
            self.changed.emit()
