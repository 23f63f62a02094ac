"""The convert page with the real converter on tiny checkpoints."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.actions.context import Pronk
from app.actions.convert import ConvertRequest, convert, part_path
from app.core.errors import AppError
from app.core.paths import Home
from app.core.units import format_size
from app.gui.convert.page import ConvertPage
from app.gui.convert.types_table import SIZE, SPEED, VERDICT
from app.gui.window import Window
from tests.support.checkpoints import tiny_checkpoint

pytestmark = pytest.mark.gui
OpenWindow = Callable[..., Window]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "模型 tiny")


@pytest.fixture
def page(qtbot: QtBot, open_window: OpenWindow) -> ConvertPage:
    window = open_window(with_model=False, ready=False)
    window.show_page("convert")
    return window.convert


def look_at(qtbot: QtBot, page: ConvertPage, folder: Path) -> None:
    page.look_at(str(folder))
    qtbot.waitUntil(lambda: page.types.isVisible(), timeout=30_000)


@pytest.mark.native
def test_a_folder_becomes_a_model_in_the_picker(qtbot: QtBot, page: ConvertPage, checkpoint: Path) -> None:
    window = page.window()
    assert isinstance(window, Window)
    look_at(qtbot, page, checkpoint)
    assert page.source.text.startswith("LlamaForCausalLM, 1.3 million parameters, 1 file, 2.6 MB.")
    assert page.types.chosen == ("Q4_K_M",)
    page.types.table.tick("Q4_K_M", False)
    page.types.table.tick("Q8_0", True)
    predicted = next(file.size_bytes for file in page.types.files if file.type == "Q8_0")
    page.types.started.emit(page.types.chosen)
    qtbot.waitUntil(lambda: page.progress.result_path != "", timeout=60_000)
    made = Path(page.progress.result_path)
    assert made.stat().st_size == predicted
    lines = page.progress.result_texts
    assert any(line.startswith("Tokenizer: ") and line.endswith("test texts give the same tokens.") for line in lines)
    assert page.progress.done_share == 1
    qtbot.waitUntil(lambda: [Path(one.path) for one in window.library.view.models] == [made], timeout=10_000)
    page.chat_asked.emit(str(made))
    qtbot.waitUntil(lambda: window.engine.state.kind == "ready", timeout=10_000)
    assert "Q8_0" in window.chat.header.picker.text()


@pytest.mark.native
def test_each_type_has_its_exact_size_and_the_planners_verdict(
    qtbot: QtBot, page: ConvertPage, checkpoint: Path
) -> None:
    look_at(qtbot, page, checkpoint)
    assert page.types.table.cell("Q4_K_M", SIZE).text() == "813 kB"
    assert page.types.table.cell("Q4_K_M", SIZE).toolTip() == "813,344 bytes"
    verdict = page.types.table.cell("Q4_K_M", VERDICT)
    qtbot.waitUntil(lambda: verdict.text() == "runs on your processor", timeout=10_000)
    assert "No GPU that this build can use" in verdict.toolTip()
    assert page.types.table.cell("Q4_K_M", SPEED).text().endswith(" tok/s")
    assert page.types.about_text.startswith("Q4_K_M: recommended: small, good. No GPU that this build can use")
    assert "are free on this disk" in page.types.room_text


@pytest.mark.native
def test_more_types_are_shown_when_asked_for(qtbot: QtBot, page: ConvertPage, checkpoint: Path) -> None:
    look_at(qtbot, page, checkpoint)
    types = page.types
    usual = {"Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16"}
    assert set(types.table.visible_types) == usual
    types.more_button.click()
    assert {"F32", "Q4_K_S"} < set(types.table.visible_types)
    sizes = [file.size_bytes for file in types.files]
    assert sizes == sorted(sizes)
    types.table.tick("F32", True)
    types.more_button.click()
    assert set(types.table.visible_types) == {*usual, "F32"}  # what is ticked stays in sight


@pytest.mark.native
def test_types_that_do_not_fit_on_the_disk_cannot_be_started(qtbot: QtBot, page: ConvertPage, checkpoint: Path) -> None:
    look_at(qtbot, page, checkpoint)
    plan = page.plan
    assert plan is not None
    sizes = {file.type: file.size_bytes for file in plan.files}
    page.types.show_plan(replace(plan, free_bytes=sizes["Q8_0"] + 1))
    page.types.table.tick("Q4_K_M", False)
    page.types.table.tick("Q8_0", True)
    assert page.types.can_start
    assert not page.types.table.cell("BF16", SIZE).icon().isNull()  # does not fit alone
    page.types.table.tick("Q2_K", True)  # fits alone, not with the other
    assert not page.types.can_start
    both = format_size(sizes["Q8_0"] + sizes["Q2_K"])
    assert page.types.room_text.startswith(f"{both} are needed, {format_size(sizes['Q8_0'])} are free")
    page.types.table.tick("Q8_0", False)
    assert page.types.can_start
    page.types.table.tick("Q2_K", False)
    assert not page.types.can_start


@pytest.mark.native
def test_by_keyboard_alone(qtbot: QtBot, page: ConvertPage, checkpoint: Path) -> None:
    look_at(qtbot, page, checkpoint)
    table = page.types.table
    assert page.window().focusWidget() is table
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert page.types.chosen == ()
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert not page.busy
    qtbot.keyClick(table, Qt.Key.Key_Right)  # whatever the column
    qtbot.keyClick(table, Qt.Key.Key_Up)
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert page.types.chosen == ("Q3_K_M",)
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert page.busy
    assert page.window().focusWidget() is page.progress.cancel_button
    qtbot.waitUntil(lambda: page.progress.result_path.endswith("Q3_K_M.gguf"), timeout=60_000)
    assert page.window().focusWidget() is page.progress.chat_button


def test_a_folder_that_is_no_checkpoint_is_told(qtbot: QtBot, page: ConvertPage, tmp_path: Path) -> None:
    page.look_at(str(tmp_path))
    qtbot.waitUntil(lambda: page.notice.isVisible(), timeout=30_000)
    assert "config.json" in page.notice.message
    assert not page.types.isVisible()
    assert page.source.text == ""


@pytest.mark.native
def test_cancelled_before_anything_is_done(qtbot: QtBot, page: ConvertPage, checkpoint: Path, home: Home) -> None:
    look_at(qtbot, page, checkpoint)
    page.start(("Q4_K_M",))
    page.cancel()
    qtbot.waitUntil(lambda: not page.busy, timeout=30_000)
    qtbot.waitUntil(page.notice.isVisible, timeout=10_000)
    assert page.notice.message == "The conversion was cancelled. Nothing was left behind."
    assert list(home.models.iterdir()) == []
    assert page.types.isVisible()


@pytest.mark.native
def test_cancel_keeps_what_is_done_and_continue_goes_on(
    qtbot: QtBot, page: ConvertPage, tmp_path: Path, home: Home
) -> None:
    large = tiny_checkpoint(
        tmp_path / "Large", num_hidden_layers=2, hidden_size=1024, intermediate_size=4096, num_attention_heads=8
    )
    look_at(qtbot, page, large)
    page.start(("Q2_K",))
    qtbot.waitUntil(lambda: page.progress.done_share > 0.1, timeout=60_000)
    page.cancel()
    qtbot.waitUntil(lambda: bool(page.unfinished.cards), timeout=30_000)
    assert not page.busy
    assert not page.notice.isVisible()
    assert {path.suffix for path in home.models.iterdir()} == {".part", ".journal"}
    qtbot.waitUntil(lambda: page.plan is not None and page.plan.needed_bytes(["Q2_K"]) == 0, timeout=10_000)
    page.unfinished.cards[0].continue_button.click()
    assert page.source.text.startswith("LlamaForCausalLM")
    shares: list[float] = []
    while not page.progress.result_path:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        shares.append(page.progress.done_share)
    assert next(share for share in shares if share > 0.02) > 0.1  # it did not begin again
    assert shares == sorted(shares)
    assert any("were done already when it was continued" in line for line in page.progress.result_texts)
    assert [path.name for path in home.models.iterdir()] == ["Large-Q2_K.gguf"]


def stopped(home: Home, source: Path, name: str) -> ConvertRequest:
    """What a conversion leaves whose process was killed: its note and a part."""
    file = home.models / f"{name}-Q8_0.gguf"
    request = ConvertRequest(str(source), ("Q8_0",), files=(file,))
    part_path(file).write_bytes(b"x" * 4096)
    if not source.exists():
        with pytest.raises(AppError):
            convert(Pronk(home), request, lambda _: None)
        return request
    config = source / "config.json"
    text = config.read_text(encoding="utf-8")
    config.write_text("{")
    with pytest.raises(AppError):
        convert(Pronk(home), request, lambda _: None)
    config.write_text(text, encoding="utf-8")
    return request


def next_button(widget: QWidget) -> QWidget:
    following = widget.nextInFocusChain()
    while not isinstance(following, QPushButton):
        following = following.nextInFocusChain()
    return following


@pytest.mark.native
def test_a_stopped_conversion_is_offered_and_goes_on(
    qtbot: QtBot, page: ConvertPage, checkpoint: Path, home: Home
) -> None:
    window = page.window()
    assert isinstance(window, Window)
    window.show_page("chat")
    request = stopped(home, checkpoint, "模型-tiny")
    window.show_page("convert")
    qtbot.waitUntil(lambda: bool(page.unfinished.cards), timeout=10_000)
    (card,) = page.unfinished.cards
    assert card.text == "The conversion of 模型 tiny to Q8_0 was stopped. What is done is kept."
    assert next_button(card.discard_button) is card.continue_button  # Tab meets the card before the steps below it
    assert page.source.isAncestorOf(next_button(card.continue_button))
    card.continue_button.click()
    assert page.unfinished.cards == []
    qtbot.waitUntil(lambda: page.progress.result_path == str(request.files[0]), timeout=60_000)
    assert [path.name for path in home.models.iterdir()] == [request.files[0].name]
    assert page.progress.result_texts[0].startswith("In the library: Q8_0 (")
    qtbot.waitUntil(lambda: page.plan is not None, timeout=30_000)
    assert page.source.text.startswith("LlamaForCausalLM, 1.3 million parameters")
    assert not page.types.table.isVisible()
    window.show_page("chat")
    window.show_page("convert")
    qtbot.waitUntil(lambda: [one.path for one in window.library.view.models] == [str(request.files[0])])
    assert page.unfinished.cards == []


def test_discarding_can_be_undone_for_a_while(qtbot: QtBot, page: ConvertPage, home: Home) -> None:
    window = page.window()
    assert isinstance(window, Window)
    window.show_page("chat")
    request = stopped(home, home.root / "gone", "gone")
    window.show_page("convert")
    qtbot.waitUntil(lambda: bool(page.unfinished.cards), timeout=10_000)
    page.unfinished.discard(request)
    assert page.unfinished.cards == []
    assert part_path(request.files[0]).exists()
    looked: list[bool] = []
    page.unfinished.look(lambda: looked.append(True))
    qtbot.waitUntil(lambda: bool(looked), timeout=10_000)
    assert page.unfinished.cards == []  # not offered again while it can be undone
    page.notice.findChild(QPushButton).click()
    qtbot.waitUntil(lambda: bool(page.unfinished.cards), timeout=10_000)
    page.unfinished.discard(request)
    page.notice.dismiss()  # as the end of its time
    qtbot.waitUntil(lambda: not part_path(request.files[0]).exists(), timeout=10_000)
    page.hide()
    page.show()
    assert page.unfinished.cards == []


@pytest.mark.native
def test_the_folder_is_shown(qtbot: QtBot, page: ConvertPage, tmp_path: Path) -> None:
    class Manager(QObject):
        opened = ""

        @Slot(QUrl)
        def show(self, url: QUrl) -> None:
            self.opened = url.toLocalFile()

    if os.name == "nt":
        pytest.skip("the Explorer is started there")
    manager = Manager()
    QDesktopServices.setUrlHandler("file", manager, "show")
    page.progress.folder_asked.emit(str(tmp_path / "a b.gguf"))
    QDesktopServices.unsetUrlHandler("file")
    assert manager.opened == str(tmp_path)
