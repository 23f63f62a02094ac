"""Colours, sizes and the style sheet made of them; light or dark as the system or the user says."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from app.gui.style_sheet import style_sheet
from app.gui.tokens import DARK, LIGHT, Theme

BODY_PX = 14
CODE_PX = 13
CHINESE = ("Noto Sans CJK SC", "Microsoft YaHei UI", "PingFang SC")


def apply_theme(application: QApplication, choice: str) -> None:
    """Style the whole application: "light", "dark", or "system" to follow the desktop."""
    theme = _chosen(choice)
    application.setPalette(_palette(theme))
    application.setStyleSheet(style_sheet(theme))


def current_theme() -> Theme:
    """Return the tokens in use."""
    return DARK if QGuiApplication.palette().color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


def body_font() -> QFont:
    """Return the system's UI font at the body size, with a Chinese font beside it."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    font.setPixelSize(BODY_PX)
    return _with_chinese(font)


def code_font() -> QFont:
    """Return the system's monospace font at the code size."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPixelSize(CODE_PX)
    font.setStyleHint(QFont.StyleHint.Monospace)
    return _with_chinese(font)


def _with_chinese(font: QFont) -> QFont:
    """Put Chinese families behind the one that is really used: an alias ("monospace") must not give way to them."""
    font.setFamilies([QFontInfo(font).family(), *CHINESE])
    return font


def _chosen(choice: str) -> Theme:
    if choice in ("light", "dark"):
        return DARK if choice == "dark" else LIGHT
    scheme = QGuiApplication.styleHints().colorScheme()
    return DARK if scheme == Qt.ColorScheme.Dark else LIGHT


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    colours: dict[QPalette.ColorRole, str] = {
        role.Window: theme.background,
        role.WindowText: theme.text,
        role.Base: theme.surface,
        role.AlternateBase: theme.raised,
        role.Text: theme.text,
        role.Button: theme.surface,
        role.ButtonText: theme.text,
        role.BrightText: theme.danger,
        role.PlaceholderText: theme.muted,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Mid: theme.border,
    }
    palette = QPalette()
    for name, colour in colours.items():
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(theme.muted))
    return palette
