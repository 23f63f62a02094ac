"""Cuts a growing Markdown text into blocks that are final and the last one, which may still change.

CommonMark is read line by line, so a block is final once the next one has begun; only the tail is parsed again.
"""

import re
from dataclasses import dataclass

from app.gui.markdown.pieces import Block, Code, Paragraph, Piece, Run
from app.gui.safe_text import visible_text

LONG_LIST_CHARACTERS = 1500
LONG_BLOCK_CHARACTERS = 8000
"""Beyond this an open block is shown as plain text: reading it anew for each bit would take too long."""

SLICE_CHARACTERS = 4000

_FENCE = re.compile(r" {0,3}(?P<mark>`{3,}+|~{3,}+)(?P<info>[^\n]*+)\n")


@dataclass(frozen=True)
class Change:
    """What one more bit of text made: pieces that are final now, and those of the block that is still open."""

    finished: tuple[Piece, ...]
    tail: tuple[Piece, ...]


class StreamSplitter:
    """Holds the text of the open block; feed() says what became of it."""

    def __init__(self) -> None:
        self._tail = ""
        self._fence_checked = 0

    def feed(self, text: str) -> Change:
        """Add text and return the pieces that it finished, and the open block's."""
        finished: list[Piece] = []
        tail: tuple[Piece, ...] = ()
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        for start in range(0, len(text), SLICE_CHARACTERS):
            self._tail += text[start : start + SLICE_CHARACTERS]
            done, tail = self._settle()
            finished.extend(done)
        return Change(tuple(finished), tail)

    def finish(self) -> Change:
        """Say that no more text comes."""
        _, tail = self._settle()
        self._tail = ""
        return Change(tail, ())

    def _settle(self) -> tuple[list[Piece], tuple[Piece, ...]]:
        finished: list[Piece] = []
        while (code := self._closed_fence()) is not None:
            finished.append(code)
        if (open_fence := self._open_fence()) is not None:
            return finished, (open_fence,)
        blocks = _parse(self._tail)
        final = self._count_final(blocks)
        if final:
            finished += [piece for block in blocks[:final] for piece in block.pieces]
            self._cut_at_line(blocks[final].first_line)
        elif len(blocks) == 1 and (cut := self._cut_long(blocks[0])):
            finished += cut
        else:
            return finished, tuple(piece for block in blocks for piece in block.pieces)
        more, tail = self._settle()
        return finished + more, tail

    def _count_final(self, blocks: tuple[Block, ...]) -> int:
        """Return how many blocks cannot change any more.

        The one before the last is final when the last one's first line is whole ("3" may become "3. item" of the list
        before it), or when an empty line ended it and it is no list.
        """
        if len(blocks) < 2:
            return 0
        before, last = blocks[-2:]
        ended = before.last_line < last.first_line and not before.item_lines
        whole_line = self._tail.count("\n") > last.first_line
        return len(blocks) - 1 if ended or whole_line else len(blocks) - 2

    def _cut_long(self, block: Block) -> list[Piece]:
        """Take what can be taken of a long open block: whole items of a list, or all of it as plain text."""
        length = len(self._tail)
        if length >= LONG_LIST_CHARACTERS and len(block.item_lines) > 1:
            head = self._cut_at_line(block.item_lines[-1])
            return [piece for part in _parse(head) for piece in part.pieces]
        marks = sum(map(self._tail.count, "[*_`<!")) if length >= LONG_LIST_CHARACTERS else 0
        if length > LONG_BLOCK_CHARACTERS or marks > length // 3:
            text, self._tail = self._tail, ""
            return [Paragraph((Run(visible_text(text)),))]
        return []

    def _closed_fence(self) -> Code | None:
        opening = _FENCE.match(self._tail)
        if opening is None or not _is_fence(opening):
            return None
        mark = opening["mark"]
        closing = re.compile(rf"^ {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*(\n|\Z)", re.MULTILINE)
        end = closing.search(self._tail, max(opening.end(), self._fence_checked))
        if end is None or not end[1]:  # the closing line itself may still grow
            self._fence_checked = self._tail.rfind("\n") + 1
            return None
        code = _code(opening, self._tail[opening.end() : end.start()])
        self._tail = self._tail[end.end() :]
        self._fence_checked = 0
        return code

    def _open_fence(self) -> Code | None:
        opening = _FENCE.match(self._tail)
        if opening is None or not _is_fence(opening):
            return None
        body = self._tail[opening.end() :]
        last = body.rpartition("\n")[2]
        if last.strip() and set(last.strip()) == {opening["mark"][0]}:  # a closing fence on its way
            body = body[: -len(last)]
        return _code(opening, body)

    def _cut_at_line(self, line: int) -> str:
        position = 0
        for _ in range(line):
            position = self._tail.index("\n", position) + 1
        head, self._tail = self._tail[:position], self._tail[position:]
        return head


def _parse(source: str) -> tuple[Block, ...]:
    from app.gui.markdown.parse import parse_blocks  # markdown-it is loaded with the first answer, not with the window

    return parse_blocks(source)


def _is_fence(opening: re.Match[str]) -> bool:
    return opening["mark"][0] == "~" or "`" not in opening["info"]


def _code(opening: re.Match[str], body: str) -> Code:
    words = opening["info"].split()
    return Code(visible_text(body.removesuffix("\n")), visible_text(words[0])[:40] if words else "")
