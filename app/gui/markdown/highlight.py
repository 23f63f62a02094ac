"""Colours for code: Pygments reads the text, the result is formats for each line."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.gui.tokens import Theme

LARGE_CHARACTERS = 6000
HUGE_CHARACTERS = 200_000


@dataclass(frozen=True)
class Span:
    """A stretch of one line in one colour role of the theme."""

    start: int
    length: int
    role: str


def spans_of(text: str, language: str) -> tuple[tuple[Span, ...], ...]:
    """Return the coloured spans of each line; an unknown language has none. Runs on any thread."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    if not language or len(text) > HUGE_CHARACTERS:
        return ()
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return ()
    lines: list[list[Span]] = [[]]
    column = 0
    for kind, value in lexer.get_tokens(text):
        role = _role(str(kind))
        for index, part in enumerate(value.split("\n")):
            if index:
                lines.append([])
                column = 0
            if role and part:
                lines[-1].append(Span(column, len(part), role))
            column += len(part)
    return tuple(map(tuple, lines))


def colour_of(role: str, theme: Theme) -> str:
    """Return the colour of a role of code."""
    return str(getattr(theme, f"code_{role}"))


_ROLES: Sequence[tuple[str, str]] = (
    ("Token.Comment", "comment"),
    ("Token.Keyword", "keyword"),
    ("Token.Operator.Word", "keyword"),
    ("Token.Literal.String", "string"),
    ("Token.Literal.Number", "number"),
    ("Token.Name.Function", "function"),
    ("Token.Name.Class", "function"),
    ("Token.Name.Decorator", "function"),
    ("Token.Name.Builtin", "function"),
    ("Token.Name.Tag", "keyword"),
    ("Token.Name.Attribute", "function"),
)


def _role(kind: str) -> str:
    return next((role for prefix, role in _ROLES if kind.startswith(prefix)), "")
