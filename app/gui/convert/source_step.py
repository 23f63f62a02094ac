"""Step 1 of a conversion: a folder, chosen or dropped."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import ElidedLabel, plain_label


class SourceStep(QFrame):
    """Takes a checkpoint folder and says what it is."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dropArea")
        self.setAcceptDrops(True)
        self.setAccessibleName(self.tr("Choose a checkpoint"))
        self._folder = ElidedLabel()
        self._text = plain_label(kind="muted", wrap=True)
        row = QHBoxLayout()
        row.setSpacing(12)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(plain_label(self.tr("1  Choose a checkpoint folder"), "strong"))
        words.addWidget(self._folder)
        row.addLayout(words, 1)
        row.addWidget(push_button(self.tr("Choose a folder…"), self.choose_folder, "primary"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self._text)
        self.show_folder("")

    def choose_folder(self) -> None:
        """Ask for a folder."""
        dialog = QFileDialog(self, self.tr("Choose a checkpoint folder"), str(Path.home()))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.chosen)
        dialog.open()

    def show_folder(self, folder: str) -> None:
        """Show which folder is chosen."""
        self._folder.setText(folder or self.tr("config.json, tokenizer.json and *.safetensors; or drop it here"))
        self._folder.setProperty("kind", "" if folder else "muted")
        self._folder.style().polish(self._folder)

    def show_text(self, text: str) -> None:
        """Say what was found."""
        if not text:
            self.show_folder("")
        self._text.setText(text)
        self._text.setVisible(bool(text))

    @property
    def text(self) -> str:
        """What was found, in words."""
        return self._text.text()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept one local folder, or a file in it."""
        if _dropped_folder(event) is not None:
            event.acceptProposedAction()
            self._set_over(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Take the ring away."""
        self._set_over(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Choose what was dropped."""
        self._set_over(False)
        folder = _dropped_folder(event)
        if folder is not None:
            self.chosen.emit(str(folder))

    def _set_over(self, over: bool) -> None:
        self.setProperty("over", over)
        self.style().unpolish(self)
        self.style().polish(self)


def _dropped_folder(event: QDropEvent) -> Path | None:
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    if len(paths) != 1:
        return None
    return paths[0] if paths[0].is_dir() else paths[0].parent
