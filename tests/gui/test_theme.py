"""Colours: enough contrast on every ground, and a style sheet that Qt takes."""

import pytest
from PySide6.QtGui import QColor, QFontMetricsF
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from app.gui.icons import icon
from app.gui.theme import body_font, code_font
from app.gui.tokens import DARK, LIGHT, MEMORY_COLOURS, Theme
from app.gui.widgets.memory_bar import PATTERNS

pytestmark = pytest.mark.gui
TEXTS = ("text", "muted", "danger", "warning", "ok")
CODE = ("code_keyword", "code_string", "code_number", "code_function", "code_comment")


def luminance(colour: str) -> float:
    parts = [QColor(colour).redF(), QColor(colour).greenF(), QColor(colour).blueF()]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_contrast_on_every_ground(theme: Theme) -> None:
    for role in TEXTS:
        for ground in ("background", "surface", "raised"):
            assert contrast(getattr(theme, role), getattr(theme, ground)) >= 4.5, (role, ground)
    for role in CODE:
        assert contrast(getattr(theme, role), theme.surface) >= 4.5, role
    assert contrast(theme.accent, theme.background) >= 4.5
    assert contrast(theme.on_accent, theme.accent) >= 4.5
    assert contrast(theme.text, theme.selected) >= 4.5
    assert contrast(theme.text, theme.hover) >= 4.5


def test_each_part_of_the_memory_bar_has_a_pattern_of_its_own() -> None:
    assert set(PATTERNS) == set(MEMORY_COLOURS)
    assert len(set(PATTERNS.values())) == len(PATTERNS)


def test_code_is_monospaced_and_text_has_a_chinese_family(qapp: QApplication) -> None:
    code = QFontMetricsF(code_font())  # widths, not fixedPitch(): Noto Sans Mono is not marked as such
    assert code.horizontalAdvance("iiii") == code.horizontalAdvance("WWWW")
    assert body_font().families()[0] not in ("", "Noto Sans CJK SC")
    assert "Noto Sans CJK SC" in body_font().families()


def test_icons_are_drawn(qtbot: QtBot) -> None:
    button = QPushButton()
    qtbot.addWidget(button)
    picture = icon("copy", "text").pixmap(20, 20).toImage()
    drawn = sum(picture.pixelColor(x, y).alpha() > 0 for x in range(20) for y in range(20))
    assert 20 < drawn < 300
