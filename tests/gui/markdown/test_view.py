"""What the screen does while an answer streams."""

import pytest
from PySide6.QtWidgets import QApplication, QTextBrowser
from pytestqt.qtbot import QtBot

from app.gui.markdown.code_card import CodeCard
from app.gui.markdown.text_view import TextView
from app.gui.markdown.view import MarkdownView
from app.gui.tasks import Tasks
from tests.support.ui_pause import markdown_of

pytestmark = pytest.mark.gui


@pytest.fixture
def view(qtbot: QtBot, tasks: Tasks) -> MarkdownView:
    widget = MarkdownView(tasks)
    qtbot.addWidget(widget)
    widget.resize(760, 600)
    widget.show()
    return widget


def stream(qtbot: QtBot, view: MarkdownView, text: str, bit: int = 9) -> None:
    for start in range(0, len(text), bit):
        view.append(text[start : start + bit])
        QApplication.processEvents()
    view.finish()
    qtbot.waitUntil(lambda: view.is_settled, timeout=20_000)


def shown(view: MarkdownView) -> str:
    return "\n".join(part.text if isinstance(part, CodeCard) else part.toPlainText() for part in view.parts)


def test_each_finished_piece_is_drawn_for_good_once(
    qtbot: QtBot, view: MarkdownView, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    write = TextView.append_piece

    def counted(self: TextView, piece: object) -> int:
        drawn.append(repr(piece))
        return write(self, piece)  # type: ignore[arg-type]

    monkeypatch.setattr(TextView, "append_piece", counted)
    first = "The first paragraph.\n\n"
    view.append(first + "Second")
    qtbot.waitUntil(lambda: "Second" in shown(view))
    before = len(drawn)
    stream(qtbot, view, " grows and grows and grows until it is long.")
    assert sum("The first paragraph." in piece for piece in drawn) == 1
    assert all("Second" in piece for piece in drawn[before:])


def test_code_that_grows_is_appended_not_rewritten(qtbot: QtBot, view: MarkdownView) -> None:
    view.append("```python\nx = 1\n")
    qtbot.waitUntil(lambda: view.findChild(CodeCard) is not None)
    card = view.findChild(CodeCard)
    stream(qtbot, view, "y = 2\nz = 3\n```\nDone.")
    assert view.findChild(CodeCard) is card
    assert isinstance(card, CodeCard)
    assert card.text == "x = 1\ny = 2\nz = 3"
    assert "Done." in shown(view)


def test_streamed_and_whole_show_the_same(qtbot: QtBot, view: MarkdownView, tasks: Tasks) -> None:
    text = markdown_of(150)
    stream(qtbot, view, text)
    other = MarkdownView(tasks)
    qtbot.addWidget(other)
    other.set_text(text)
    qtbot.waitUntil(lambda: other.is_settled, timeout=20_000)
    assert shown(view) == shown(other)


def test_a_new_theme_keeps_the_text(qtbot: QtBot, view: MarkdownView) -> None:
    from app.gui.theme import apply_theme

    text = markdown_of(40)
    stream(qtbot, view, text)
    before = shown(view)
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    try:
        apply_theme(application, "dark")
        qtbot.waitUntil(lambda: shown(view) == before and view.is_settled)
    finally:
        apply_theme(application, "light")


def test_a_megabyte_is_capped_with_a_way_on(qtbot: QtBot, view: MarkdownView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.gui.markdown.view.CAP_CHARACTERS", 5_000)
    view.set_text("word " * 2_000)
    qtbot.waitUntil(lambda: view.is_settled)
    assert view.capped
    view.show_all()
    qtbot.waitUntil(lambda: not view.capped and shown(view).count("word") == 2_000, timeout=10_000)


def test_text_views_load_nothing(qtbot: QtBot) -> None:
    from PySide6.QtCore import QUrl
    from PySide6.QtGui import QTextDocument

    view = TextView()
    qtbot.addWidget(view)
    assert isinstance(view, QTextBrowser)
    for kind in (QTextDocument.ResourceType.ImageResource, QTextDocument.ResourceType.StyleSheetResource):
        assert view.loadResource(kind.value, QUrl("file:///etc/passwd")) == b""
        assert view.document().loadResource(kind.value, QUrl("file:///etc/passwd")) == b""
