"""Loads what the first answer needs while the user still reads the empty page."""


def warm_up() -> None:
    """Import and run the Markdown parser and the highlighter once; runs on a pool thread."""
    from app.engine import client  # noqa: F401 - loaded for the first answer
    from app.gui.markdown.highlight import spans_of
    from app.gui.markdown.parse import parse_blocks

    parse_blocks("# a\n\n- *b* `c`\n\n| d |\n|---|\n| e |\n")
    spans_of("print(1)", "python")
