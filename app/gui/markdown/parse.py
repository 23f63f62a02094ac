"""Markdown to pieces, by markdown-it with HTML off; images become their alternative text, unsafe links plain text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.gui.markdown.pieces import Block, Code, Paragraph, Piece, Rule, Run, Table
from app.gui.safe_text import safe_link, visible_text

MAX_INDENT = 8
_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


def parse_blocks(source: str) -> tuple[Block, ...]:
    """Return the top-level blocks of a Markdown text."""
    return tuple(_block(tokens) for tokens in _top_level(_parser().parse(source)))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("js-default", {"html": False, "linkify": False, "typographer": False})


def _top_level(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    start = depth = 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield tokens[start : index + 1]
            start = index + 1


def _block(tokens: Sequence[Token]) -> Block:
    first, last = tokens[0].map or [0, 0]
    items = tuple(token.map[0] for token in tokens if token.type == "list_item_open" and token.level == 1 and token.map)
    return Block(first, last, tuple(_Walk().pieces(tokens)), items)


@dataclass
class _List:
    ordered: bool
    next_number: int


class _Walk:
    """Goes through one block's tokens and keeps where it stands: lists, quotes, the marker that is due."""

    def __init__(self) -> None:
        self._lists: list[_List] = []
        self._quote = 0
        self._marker = ""
        self._heading = 0

    def pieces(self, tokens: Sequence[Token]) -> Iterator[Piece]:
        """Yield the pieces in order."""
        index = 0
        while index < len(tokens):
            token = tokens[index]
            if token.type == "table_open":
                end = _end_of_table(tokens, index)
                yield _table(tokens[index:end])
                index = end
                continue
            self._enter(token)
            piece = self._piece(token, tokens[index - 1])
            if piece is not None:
                yield piece
            index += 1

    def _enter(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self._lists.append(_List(False, 0))
            case "ordered_list_open":
                self._lists.append(_List(True, int(token.attrs.get("start", 1))))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                self._marker = self._next_marker()
            case "blockquote_open" | "blockquote_close":
                self._quote += token.nesting
            case "heading_open":
                self._heading = int(token.tag[1:])
            case "heading_close":
                self._heading = 0

    def _next_marker(self) -> str:
        top = self._lists[-1]
        top.next_number += 1
        return f"{top.next_number - 1}." if top.ordered else "•"

    def _piece(self, token: Token, before: Token) -> Piece | None:
        indent = min(len(self._lists), MAX_INDENT)
        if token.type in ("fence", "code_block"):
            language = token.info.split()[0] if token.info.strip() else ""
            return Code(visible_text(token.content.rstrip("\n")), visible_text(language)[:40], indent)
        if token.type == "hr":
            return Rule()
        if token.type != "inline":
            return None
        marker, self._marker = self._marker, ""
        runs = tuple(_runs(token.children or []))
        if marker:
            runs = _with_box(runs)
        quote = min(self._quote, MAX_INDENT)
        return Paragraph(runs, self._heading, indent, quote, marker, tight=bool(self._lists) and before.hidden)


def _with_box(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    if runs and runs[0].text[:4] in _BOXES:
        return (replace(runs[0], text=_BOXES[runs[0].text[:4]] + runs[0].text[4:]), *runs[1:])
    return runs


def _runs(tokens: Sequence[Token]) -> Iterator[Run]:
    bold = italic = strike = 0
    links: list[str] = []
    for token in tokens:
        match token.type:
            case "strong_open" | "strong_close":
                bold += token.nesting
            case "em_open" | "em_close":
                italic += token.nesting
            case "s_open" | "s_close":
                strike += token.nesting
            case "link_open":
                links.append(str(token.attrs.get("href", "")))
            case "link_close":
                href = links.pop()
                if not safe_link(href):
                    yield Run(f" ({visible_text(href)})")
            case _:
                text = _text_of(token)
                if text:
                    link = safe_link(links[-1]) if links else ""
                    yield Run(text, bold > 0, italic > 0, strike > 0, token.type == "code_inline", link)


def _text_of(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    if token.type == "image":
        return f"[{visible_text(token.content) or 'image'}]"
    return visible_text(token.content)


def _end_of_table(tokens: Sequence[Token], start: int) -> int:
    return next(index for index in range(start, len(tokens)) if tokens[index].type == "table_close") + 1


def _table(tokens: Sequence[Token]) -> Table:
    rows: list[list[tuple[Run, ...]]] = []
    alignments: list[str] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "th_open":
            alignments.append(str(token.attrs.get("style", "text-align:left")).partition(":")[2])
        elif token.type == "inline":
            rows[-1].append(tuple(_runs(token.children or [])))
    return Table(tuple(map(tuple, rows)), tuple(alignments))
