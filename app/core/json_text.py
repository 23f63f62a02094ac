"""JSON that others wrote: files that may be damaged, documents that may be hostile."""

import json
from typing import Any


def parse_json(text: str) -> Any:
    """Return the document in `text`; raises ValueError for every text that is none.

    Also for one nested too deeply, for NaN and for numbers beyond a float (1e999): no figure is infinite.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if abs(value) == float("inf"):
        raise ValueError(f"{text} is too large")
    return value
