"""The models page: what is in the library, what each model would do here, add and remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.gui.library_control import LibraryControl, LibraryView
from app.gui.models.row import ModelRow
from app.gui.widgets.buttons import push_button
from app.gui.widgets.column import page_column
from app.gui.widgets.labels import plain_label
from app.gui.widgets.notice import Notice

COLUMN_PX = 760

if TYPE_CHECKING:
    from app.actions.models import LibraryModel, RemovedModel


class ModelsPage(QWidget):
    """A list of models; each can be talked to or taken off the list."""

    chat_asked = Signal(object, bool)
    convert_asked = Signal()

    def __init__(self, library: LibraryControl, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._library = library
        self.notice = Notice(self)
        self.rows: list[ModelRow] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(8)
        self._build()
        library.changed.connect(self._on_changed)
        library.added.connect(self._on_added)
        library.removed.connect(self._on_removed)
        library.failed.connect(self.notice.show_error)
        self._on_changed(library.view)

    def choose_file(self) -> None:
        """Ask for a GGUF file and add it."""
        dialog = QFileDialog(self, self.tr("Add a model file"), str(Path.home()), self.tr("GGUF models (*.gguf)"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(self._on_files)
        dialog.open()

    def _on_files(self, names: list[str]) -> None:
        for name in names:
            self._library.add(Path(name))

    def _build(self) -> None:
        head = QHBoxLayout()
        head.addWidget(plain_label(self.tr("Models"), "title"), 1)
        head.addWidget(push_button(self.tr("Convert a checkpoint"), self.convert_asked.emit))
        head.addWidget(push_button(self.tr("Add a model file…"), self.choose_file, "primary"))
        inner = page_column(self, COLUMN_PX)
        inner.addLayout(head)
        inner.addWidget(self.notice)
        inner.addLayout(self._list)
        inner.addStretch(1)

    def _on_changed(self, view: LibraryView) -> None:
        while (item := self._list.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.rows = [ModelRow(judged) for judged in view.models]
        for row in self.rows:
            row.chat_asked.connect(lambda force, judged=row.judged: self.chat_asked.emit(judged, force))
            row.remove_asked.connect(lambda model=row.judged.model: self._library.remove(model))
            self._list.addWidget(row)
        if not self.rows:
            self._list.addWidget(
                plain_label(
                    self.tr(
                        "The library is empty. Add a GGUF file that you have, or convert a checkpoint "
                        "(a folder with config.json and *.safetensors) to one."
                    ),
                    "muted",
                    wrap=True,
                )
            )

    def _on_added(self, model: LibraryModel) -> None:
        self.notice.show_text(self.tr("{0} is in the library.").format(model.name))

    def _on_removed(self, removed: RemovedModel) -> None:
        self.notice.show_undo(
            self.tr("{0} is off the list. Its file stays where it is.").format(removed.name),
            lambda: self._library.restore(removed),
        )
