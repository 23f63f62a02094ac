"""What a hostile model may write: nothing is fetched, no local file is opened, nothing hides."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.gui.chat.links import offer_link
from app.gui.markdown.view import MarkdownView
from app.gui.safe_text import one_line, safe_link, visible_text
from app.gui.tasks import Tasks

pytestmark = pytest.mark.gui


class Canary:
    """A local server that must never be asked, and a file that must never be opened."""

    def __init__(self, folder: Path) -> None:
        self.hits: list[str] = []
        canary = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canary.hits.append(self.path)
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.file = folder / "secret.png"
        self.file.write_bytes(b"\x89PNG secret")
        self.opened = folder / "opened"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    bird = Canary(tmp_path)
    yield bird
    bird.close()


def payloads(url: str, file: Path) -> list[str]:
    images = [
        f"![a]({url}/1.png)", f"![a][r]\n\n[r]: {url}/2.png", f"![a](<{url}/3.png> 'title')",
        f'<img src="{url}/4.png">', f"<img src='{file}'>", f"![a]({file.as_uri()})", f"![a]({file})",
        f"![a](../{file.name})", "![a](data:image/png;base64,AAAA)", "![a](qrc:/x.png)", "![a](//host/share/x.png)",
        "![a](file:////host/share/x.png)", r"![a](\\host\share\x.png)", f"[![a]({url}/5.png)]({url}/6)",
    ]  # fmt: skip
    markup = [
        f'<link rel="stylesheet" href="{url}/a.css">', f"<style>@import url({url}/b.css);</style>",
        f'<p style="background:url({url}/c.png)">x</p>', f'<body background="{url}/d.png">',
        f'<table background="{url}/e.png"><tr><td>x</td></tr></table>', f'<a href="{file.as_uri()}">x</a>',
        f'<object data="{url}/f"></object>', f'<iframe src="{url}/g"></iframe>', f'<script src="{url}/h"></script>',
        f'<video poster="{url}/i"></video>', f'<meta http-equiv="refresh" content="0;url={url}/j">',
        f"<svg><image href='{url}/k'/></svg>", f"&lt;img src={url}/l&gt;", f"`<img src={url}/m>`",
        f"```html\n<img src={url}/n>\n```", f"| <img src={url}/o> |\n|---|\n| ![a]({url}/p) |",
        f"> <img src={url}/q>", f"# ![a]({url}/r)", f"1. ![a]({url}/s)",
    ]  # fmt: skip
    links = [
        f"[go]({file.as_uri()})", "[go](javascript:alert(1))", "[go](vbscript:x)", "[go](data:text/html,x)",
        "[go](smb://host/share)", "[go](file://host/share)", "[go](ms-msdt:/id)", "[go](ftp://host/x)",
        "[go](\\\\host\\share)", "[go](/etc/passwd)", "[go](C:\\Windows)", "<file:///etc/passwd>",
        "[go](JaVaScRiPt:alert(1))", "[go](java\nscript:alert(1))", "[go](x-unknown:1)", "[go](http:///nohost)",
        "[go](https://exa\u202emple.org)", "[http://good.org](mailto:a@b.c)", "[go](jar:http://x!/)",
        "[go](about:blank)",
    ]  # fmt: skip
    hidden = [
        "\u202etxt.exe",
        "a\x1b[31mred",
        "a\u2066b\u2069",
        "\U000e0041\U000e0042",
        "a\x07b",
        "x\u200fy",
        "\x9b31m",
    ]
    return [*images, *markup, *links, *hidden]


def test_sixty_payloads_fetch_and_open_nothing(
    qtbot: QtBot, tasks: Tasks, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = payloads(canary.url, canary.file)
    assert len(texts) >= 60
    accessed = canary.file.stat().st_atime_ns
    asked: list[str] = []
    for text in texts:
        view = MarkdownView(tasks)
        qtbot.addWidget(view)
        view.link_clicked.connect(asked.append)
        view.resize(600, 300)
        view.show()
        view.set_text(text)
        qtbot.waitUntil(lambda view=view: view.is_settled)  # type: ignore[misc]
        view.grab()
        QApplication.processEvents()
        view.close()
    assert canary.hits == []
    assert canary.file.stat().st_atime_ns == accessed
    assert asked == []


@pytest.mark.parametrize(
    "href",
    ["file:///etc/passwd", "javascript:x", "\\\\host\\x", "http:///x", "http://[bad", "//host", "", "https://a\u202eb"],
)
def test_bad_links_are_not_offered(qtbot: QtBot, href: str) -> None:
    from PySide6.QtWidgets import QWidget

    parent = QWidget()
    qtbot.addWidget(parent)
    assert safe_link(href) == ""
    assert offer_link(parent, href) is None


def test_a_link_is_shown_whole_before_it_opens(qtbot: QtBot) -> None:
    from PySide6.QtWidgets import QWidget

    parent = QWidget()
    qtbot.addWidget(parent)
    href = "https://example.org/" + "a" * 150
    box = offer_link(parent, href)
    assert isinstance(box, QMessageBox)
    assert box.informativeText().replace("\n", "") == href
    box.reject()


def test_hidden_characters_are_written_out() -> None:
    assert visible_text("a\u202eb\x1b\n\tc") == "a⟨U+202E⟩b⟨U+001B⟩\n\tc"
    assert visible_text("👩‍👩‍👧 नमस्ते") == "👩‍👩‍👧 नमस्ते"
    assert one_line("a\nb " + "x" * 300, 20) == "a b xxxxxxxxxxxxxxx…"
