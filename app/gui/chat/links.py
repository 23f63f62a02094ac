"""Opening an address that a model wrote: shown in full, and only after the user agrees."""

from PySide6.QtCore import QCoreApplication, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QMessageBox, QWidget

from app.gui.safe_text import safe_link, visible_text


def offer_link(parent: QWidget, href: str) -> QMessageBox | None:
    """Ask whether to open `href`; returns the open question, None for an address that is not offered at all."""
    if not safe_link(href):
        return None
    box = QMessageBox(parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setWindowTitle(_tr("Open this link?"))
    box.setText(_tr("The model wrote this link. Open it in your browser?"))
    box.setInformativeText(_broken(visible_text(href)))
    open_button = box.addButton(_tr("Open"), QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(QMessageBox.StandardButton.Cancel)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    open_button.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(href)))
    box.open()
    return box


def _broken(href: str) -> str:
    """Return the address with a break every 80 characters, so that all of it is seen."""
    return "\n".join(href[start : start + 80] for start in range(0, len(href), 80))


def _tr(text: str) -> str:
    return QCoreApplication.translate("links", text)
