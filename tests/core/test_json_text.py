"""Whatever a file holds, reading it as JSON ends in a document or a ValueError."""

import pytest

from app.core.json_text import parse_json


def test_a_document() -> None:
    assert parse_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"a":' * 100_000, "NaN", "[-Infinity]", "1e999", "9" * 5000, "\x00"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - many parsers, many words
        parse_json(text)
