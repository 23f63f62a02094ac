"""What Markdown becomes before it is drawn: a flat row of pieces, no HTML and no Qt."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """Text of one style; `link` is "" or an address that may be offered."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    link: str = ""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, heading (1-6) or list item: `marker` is "•" or "7." on an item's first paragraph."""

    runs: tuple[Run, ...]
    heading: int = 0
    indent: int = 0
    quote: int = 0
    marker: str = ""
    tight: bool = False


@dataclass(frozen=True)
class Code:
    """A code block."""

    text: str
    language: str = ""
    indent: int = 0


@dataclass(frozen=True)
class Table:
    """A table; the first row is the header, `alignments` holds "left", "center" or "right" for each column."""

    rows: tuple[tuple[tuple[Run, ...], ...], ...]
    alignments: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A horizontal line."""


Piece = Paragraph | Code | Table | Rule


@dataclass(frozen=True)
class Block:
    """A top-level block: its lines in the source (end excluded) and its pieces.

    `item_lines` are the first lines of a list's items: a long list is cut between them.
    """

    first_line: int
    last_line: int
    pieces: tuple[Piece, ...]
    item_lines: tuple[int, ...] = ()
