"""A growing Markdown text: the same pieces as the whole, whatever the bits it comes in."""

import random
import time

import pytest

from app.gui.markdown.parse import parse_blocks
from app.gui.markdown.pieces import Code, Paragraph, Piece, Run, Table
from app.gui.markdown.split import StreamSplitter
from tests.support.ui_pause import markdown_of

pytestmark = pytest.mark.gui

TEXT = """# Title

Some *words*,
and a second line.

Heading
---
1. one
2. two

   ```sh
   ls
   ```
3. three
   - deeper

> quoted
> > twice

| a | b |
|---|--:|
| 1 | 2 |

~~~~python
x = "```"
~~~~
The end."""


def whole(text: str) -> list[Piece]:
    return [piece for block in parse_blocks(text) for piece in block.pieces]


def streamed(text: str, sizes: list[int]) -> list[Piece]:
    splitter, pieces, start = StreamSplitter(), [], 0
    for size in sizes:
        pieces += splitter.feed(text[start : start + size]).finished
        start += size
    pieces += splitter.feed(text[start:]).finished
    return pieces + list(splitter.finish().finished)


def test_letter_by_letter_gives_the_same_pieces() -> None:
    assert streamed(TEXT, [1] * len(TEXT)) == whole(TEXT)


def test_any_bits_give_the_same_pieces() -> None:
    source = random.Random(7)
    text = TEXT + "\n\n" + markdown_of(60)
    for _ in range(40):
        sizes = [source.randint(1, 40) for _ in range(len(text) // 20)]
        assert streamed(text, sizes) == whole(text)


def test_the_tail_shows_what_is_still_open() -> None:
    splitter = StreamSplitter()
    assert splitter.feed("Hello **wor").tail == (Paragraph((Run("Hello **wor"),)),)
    change = splitter.feed("ld**\n\n```python\nprint(")
    assert change.finished == (Paragraph((Run("Hello "), Run("world", bold=True))),)
    assert change.tail == (Code("print(", "python"),)
    assert splitter.feed("1)\n```\n").finished == (Code("print(1)", "python"),)


def test_a_long_list_is_finished_item_by_item() -> None:
    splitter = StreamSplitter()
    text = "".join(f"{number}. item {number} with some words\n" for number in range(1, 200))
    change = splitter.feed(text)
    pieces = [*change.finished, *change.tail, *splitter.finish().finished]
    markers = [piece.marker for piece in pieces if isinstance(piece, Paragraph)]
    assert len(change.finished) > 150
    assert markers[:3] == ["1.", "2.", "3."]
    assert markers[-1] == "199."


@pytest.mark.parametrize(
    "text",
    [
        "> " * 20_000 + "deep",
        "[" * 20_000,
        "*" * 20_000 + "a",
        "a " * 50_000,
        "`" * 9_999 + "a",
        "- " * 5_000 + "x",
        "|" * 10_000 + "\n" + "|-" * 5_000 + "\n",
        "<" * 20_000,
        "![" * 5_000 + "](" * 5_000,
    ],
)
def test_hostile_text_takes_no_time(text: str) -> None:
    assert min(longest_feed_s(text) for _ in range(3)) < 0.25  # one may meet the collector's round over all objects


def longest_feed_s(text: str) -> float:
    """Stream a text in, and return the longest that one piece of it took."""
    splitter = StreamSplitter()
    worst_s = 0.0
    for start in range(0, len(text), 600):
        began_s = time.thread_time()
        splitter.feed(text[start : start + 600])
        worst_s = max(worst_s, time.thread_time() - began_s)
    splitter.finish()
    return worst_s


def test_html_images_and_bad_links_become_text() -> None:
    runs = whole("<img src=x> ![a picture](http://127.0.0.1/x.png) [go](file:///etc/passwd) [js](javascript:alert)")
    assert isinstance(runs[0], Paragraph)
    text = "".join(run.text for run in runs[0].runs)
    assert "<img src=x>" in text
    assert "[a picture]" in text
    assert "x.png" not in text
    assert not any(run.link for run in runs[0].runs)


def test_table_cells_keep_their_alignment() -> None:
    table = whole("| a | b |\n|:-:|--:|\n| 1 | **2** |\n")[0]
    assert isinstance(table, Table)
    assert table.alignments == ("center", "right")
    assert table.rows[1][1] == (Run("2", bold=True),)
