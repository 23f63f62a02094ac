"""Sizes as people write them."""

import pytest

from app.core.errors import BadRequest
from app.core.units import format_duration, format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("12000", 12000),
        ("12GB", 12 * 10**9),
        ("512MB", 512 * 10**6),
        ("11.5GiB", int(11.5 * 2**30)),
        (" 1 kib ", 1024),
        ("1.5 tb", 1_500_000_000_000),
    ],
)
def test_parse_size(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "12 parsecs", "1e9", "nan", "9" * 400 + "GB", "9" * 5000])
def test_parse_size_refuses(text: str) -> None:
    with pytest.raises(BadRequest, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (93_100_000, "93.1 MB"),
        (512_000_000, "512 MB"),
        (6_120_000_000, "6.1 GB"),
    ],
)
def test_format_size(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text


@pytest.mark.parametrize(
    ("elapsed_s", "text"), [(0.2, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (3600, "1 h"), (3900, "1 h 5 min")]
)
def test_format_duration(elapsed_s: float, text: str) -> None:
    assert format_duration(elapsed_s) == text
