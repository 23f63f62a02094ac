"""Numbers on the command line, checked before anything is started; argparse names the option."""

import argparse

MAX_TEMPERATURE = 10.0


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    return _within(text, 1, 1 << 31)


def port(text: str) -> int:
    """Return a TCP port; 0 lets the system choose."""
    return _within(text, 0, 65535)


def temperature(text: str) -> float:
    """Return a sampling temperature of 0 to 10."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_TEMPERATURE:
        raise argparse.ArgumentTypeError(f"{text} is no temperature from 0 to {MAX_TEMPERATURE:g}")
    return value


def _within(text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no whole number") from None
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most:,}")
    return value
