"""Step 1 of a conversion: a folder, chosen or dropped; then what it is and what will happen."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import ElidedLabel, plain_label, set_kind


class SourceStep(QFrame):
    """Takes a checkpoint folder and says what it is."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dropArea")
        self.setAcceptDrops(True)
        self.setAccessibleName(self.tr("Choose a checkpoint"))
        self._title = ElidedLabel()
        self._title.setProperty("kind", "strong")
        self._folder = ElidedLabel(elide=Qt.TextElideMode.ElideMiddle)
        self._folder.setProperty("kind", "muted")
        self._text = plain_label(wrap=True)
        self._target = ElidedLabel(elide=Qt.TextElideMode.ElideMiddle)
        self._target.setProperty("kind", "muted")
        self._dropped = plain_label(kind="muted", wrap=True)
        self._warnings = plain_label(kind="warning", wrap=True)
        self._button = push_button(self.tr("Choose a folder…"), self.choose_folder, "primary")
        self._build()
        self.show_folder("")

    @property
    def text(self) -> str:
        """What was found, in words."""
        return self._text.text()

    @property
    def dropped(self) -> str:
        """What is left out."""
        return self._dropped.text()

    @property
    def warnings(self) -> str:
        """What the converter warns of."""
        return self._warnings.text()

    def choose_folder(self) -> None:
        """Ask for a folder."""
        dialog = QFileDialog(self, self.tr("Choose a checkpoint folder"), str(Path.home()))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.chosen)
        dialog.open()

    def show_folder(self, folder: str) -> None:
        """Show which folder is chosen, "" for none yet."""
        self._folder.setText(folder or self.tr("with config.json and *.safetensors; or drop it here"))
        name = Path(folder).name or folder
        self._title.setText(
            self.tr("1  Checkpoint: {0}").format(name) if folder else self.tr("1  Choose a checkpoint folder")
        )
        set_kind(self._button, "" if folder else "primary")
        self._button.setText(self.tr("Choose another…") if folder else self.tr("Choose a folder…"))
        self._button.setAccessibleName(self._button.text())
        self.show_text("")

    def show_text(self, text: str, target: str = "", dropped: str = "", warnings: str = "") -> None:
        """Say what was found, where the files will go, what is left out and what the converter warns of."""
        parts = ((self._text, text), (self._target, target), (self._dropped, dropped), (self._warnings, warnings))
        for label, words in parts:
            label.setText(words)
            label.setVisible(bool(words))

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

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(12)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._title)
        words.addWidget(self._folder)
        row.addLayout(words, 1)
        row.addWidget(self._button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addLayout(row)
        for label in (self._text, self._target, self._dropped, self._warnings):
            layout.addWidget(label)


def _dropped_folder(event: QDropEvent) -> Path | None:
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    if len(paths) != 1:
        return None
    return paths[0] if paths[0].is_dir() else paths[0].parent
