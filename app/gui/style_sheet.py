"""The style sheet of the whole window, made from the tokens of a theme."""

from string import Template

from app.gui.tokens import Theme

_SHEET = Template("""
QWidget { color: $text; }
QMainWindow, QDialog, #page { background: $background; }
#sidebar { background: $raised; border: none; border-right: 1px solid $border; }
#header { background: $background; border: none; border-bottom: 1px solid $border; }
#statusBar { background: $background; border: none; border-top: 1px solid $border; }
#details { background: $surface; border: none; border-left: 1px solid $border; }
#statusBar QToolButton { padding: 0; }
#statusBar QLabel { color: $muted; font-size: 12px; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: 4px 6px; }

QLabel { background: transparent; }
QLabel[kind="title"] { font-size: 20px; font-weight: 600; }
QLabel[kind="subtitle"] { font-size: 16px; font-weight: 600; }
QLabel[kind="strong"] { font-weight: 600; }
QLabel[kind="muted"] { color: $muted; font-size: 13px; }
QLabel[kind="danger"] { color: $danger; font-size: 13px; }
QLabel[kind="warning"] { color: $warning; font-size: 13px; }
QLabel[kind="ok"] { color: $ok; font-size: 13px; }

QPushButton { background: $surface; border: 1px solid $border; border-radius: 8px; padding: 0 12px; min-height: 30px; }
QPushButton, QToolButton { outline: none; }
QPushButton:hover { background: $raised; }
QPushButton:pressed { background: $border; }
QPushButton:disabled { color: $muted; background: $raised; }
QPushButton:focus { border: 2px solid $accent; padding: 0 11px; min-height: 28px; }
QPushButton[kind="primary"] { background: $accent; color: $on_accent; border: 1px solid $accent; font-weight: 600; }
QPushButton[kind="primary"]:disabled { background: $raised; color: $muted; border-color: $border; }
QPushButton[kind="primary"]:focus { border: 2px solid $text; }
QPushButton[kind="link"] { background: transparent; border: 2px solid transparent; color: $accent; padding: 0 4px;
    min-height: 24px; font-weight: 600; }
QPushButton[kind="link"]:hover { text-decoration: underline; }
QPushButton[kind="link"]:disabled { background: transparent; color: $muted; font-weight: 400; }
QPushButton[kind="link"]:focus { border: 2px solid $accent; border-radius: 6px; }
QPushButton:checked { background: $raised; }
QPushButton[kind="disclosure"] { background: transparent; border: 2px solid transparent; text-align: left;
    padding: 0 4px 0 0; min-height: 24px; font-weight: 600; }
QPushButton[kind="disclosure"]:checked { background: transparent; }
QPushButton[kind="disclosure"]:hover { background: $raised; }
QPushButton[kind="disclosure"]:focus { border: 2px solid $accent; border-radius: 6px; }
QPushButton[kind="nav"] { background: transparent; border: 2px solid transparent; text-align: left; padding: 0 8px;
    min-height: 32px; }
QPushButton[kind="nav"]:hover { background: $hover; }
QPushButton[kind="nav"]:checked { background: $selected; font-weight: 600; border-color: $selected; }
QPushButton[kind="nav"]:focus { border: 2px solid $accent; }
QPushButton[kind="row"], QPushButton[kind="model"] { background: transparent; border: 2px solid transparent;
    text-align: left; }
QPushButton[kind="model"] { min-height: 54px; }
QPushButton[kind="row"]:hover, QPushButton[kind="model"]:hover { background: $raised; }
QPushButton[kind="row"]:focus, QPushButton[kind="model"]:focus { border: 2px solid $accent; }

#send { min-height: 38px; }

QToolButton { background: transparent; border: 2px solid transparent; border-radius: 6px; padding: 3px; }
QToolButton:hover { background: $raised; }
QToolButton:checked { background: $raised; }
QToolButton:focus { border: 2px solid $accent; }

QLineEdit, QComboBox { background: $surface; border: 1px solid $border; border-radius: 8px; padding: 0 8px;
    min-height: 30px; selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit:focus, QComboBox:focus { border: 2px solid $accent; padding: 0 7px; min-height: 28px; }

QDoubleSpinBox { background: $surface; border: 1px solid $border; border-radius: 8px; padding: 0 8px; min-height: 26px;
    selection-background-color: $accent; selection-color: $on_accent; }
QDoubleSpinBox:focus { border: 2px solid $accent; padding: 0 7px; min-height: 24px; }

QDoubleSpinBox QLineEdit, QDoubleSpinBox QLineEdit:focus { background: transparent; border: none; border-radius: 0;
    padding: 0 6px; min-height: 0; }

QDoubleSpinBox::up-button, QDoubleSpinBox::down-button { width: 0; border: none; }

QSlider { min-height: 24px; max-height: 24px; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $border; margin: 0 2px; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: $accent; margin: 0 2px; }
QSlider::handle:horizontal { width: 16px; height: 16px; border-radius: 9px; margin: -7px 0; background: $surface;
    border: 1px solid $muted; }
QSlider::handle:horizontal:hover { border-color: $accent; }
QSlider:focus { border: none; }
QSlider::handle:horizontal:focus { border: 2px solid $accent; width: 14px; height: 14px; }

QListView { background: transparent; border: none; outline: none; }
QListView QLineEdit { min-height: 24px; padding: 0 4px; border-radius: 4px; }
QScrollArea, #plain { background: transparent; border: none; }
QTextBrowser, QPlainTextEdit { background: transparent; border: none;
    selection-background-color: $accent; selection-color: $on_accent; }

QTextBrowser[kind="muted"] { color: $muted; }

#composer { background: $surface; border: 1px solid $border; border-radius: 12px; }
#composer[focused="true"] { border: 2px solid $accent; }
#card, #codeCard { background: $surface; border: 1px solid $border; border-radius: 12px; }
#codeCard { border-radius: 8px; }
#userCard { background: $raised; border: none; border-radius: 12px; }
#notice { background: $raised; border: 1px solid $border; border-radius: 8px; }
#notice[kind="danger"] { border-color: $danger; }
#notice[kind="warning"] { border-color: $warning; }
#popup { background: $surface; border: 1px solid $border; border-radius: 12px; }
#dropArea { background: $surface; border: 1px dashed $muted; border-radius: 12px; }
#dropArea[over="true"] { border: 2px solid $accent; }
#line { background: $border; border: none; max-height: 1px; min-height: 1px; }

QProgressBar { background: $raised; border: none; border-radius: 3px; min-height: 6px; max-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }

QTableView { background: $surface; border: 1px solid $border; border-radius: 8px; outline: none;
    gridline-color: $border; selection-background-color: $raised; selection-color: $text; }
QTableView::item { padding: 0 8px; }
QTableView:focus { border: 2px solid $accent; }
QHeaderView { background: transparent; }
QHeaderView::section { background: $surface; color: $muted; border: none; border-bottom: 1px solid $border;
    padding: 4px 11px; font-size: 12px; }

QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: $border; border-radius: 4px; margin: 1px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::handle:disabled { background: transparent; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: $border; }
""")


def style_sheet(theme: Theme) -> str:
    """Return the style sheet in the colours of `theme`."""
    return _SHEET.substitute(vars(theme))
