"""Sizes and speeds as people write them."""

import re

from app.core.errors import BadRequest

_FACTORS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_MOST_DIGITS = 24
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return the bytes that `text` names: "12000", "12GB" (10^9), "512MB", "11.5GiB" (2^30).

    Raises BadRequest when the text is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None or match[2].lower() not in _FACTORS or len(match[1]) > _MOST_DIGITS:
        raise BadRequest(f"{text!r} is not a size.", hint="Write bytes or a size such as 12GB, 512MB or 11.5GiB.")
    return int(float(match[1]) * _FACTORS[match[2].lower()])


def format_size(size_bytes: int | float) -> str:
    """Return a size for people, decimal units and at most three digits: "6.1 GB", "512 MB", "93.1 MB"."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return _three_digits(value, unit)
        value /= 1000
    return _three_digits(value, "TB")


def _three_digits(value: float, unit: str) -> str:
    whole = unit == "B" or abs(value) >= 99.95
    return f"{value:.0f} {unit}" if whole else f"{value:.1f} {unit}"


def format_duration(elapsed_s: float) -> str:
    """Return a span of time for people: "8 s", "3 min 20 s", "1 h 5 min"."""
    seconds = max(0, round(elapsed_s))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
