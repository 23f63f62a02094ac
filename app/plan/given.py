"""Looks through a plan that is handed in: with senseless figures llama.cpp aborts, or tries for hours."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from app.plan.request import LEAST_CONTEXT, MOST_CONTEXT, MOST_PARALLEL

MOST_LAYERS = 100_000
MOST_THREADS = 1024
MOST_TOKENS = 1 << 16
PATTERN_CHARACTERS = 4096
MOST_REPEATS, MOST_CHOICES, MOST_GROUPS = 3, 8, 99

_REPEATED_GROUP = re.compile(r"\)[*+{]|\\\d")
_REPEAT = re.compile(r"[*+{]")


def check_document(document: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the field, for a value that no plan of Pronk has; KeyError for one that is missing."""
    for name, is_good in _FIELDS.items():
        if not is_good(document[name]):
            raise ValueError(f"{name} cannot be {_shown(document[name])}")
    for device in (document["host"], *document["devices"]):
        _check_numbers(device, _BYTES)
    _check_numbers(document["expected"], _SPEEDS)
    for share in document["tensor_split"]:
        if not _whole(0, MOST_LAYERS)(share):
            raise ValueError(f"tensor_split cannot hold {_shown(share)}")
    for override in document["tensor_overrides"]:
        _check_pattern(override["pattern"])
        if not isinstance(override["device"], str):
            raise ValueError(f"a device cannot be {_shown(override['device'])}")


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: value in words


_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "n_gpu_layers": _whole(0, MOST_LAYERS),
    "n_layers_total": _whole(0, MOST_LAYERS),
    "context": _whole(LEAST_CONTEXT, MOST_CONTEXT),
    "kv_type": _one_of("f16", "q8_0", "q4_0"),
    "n_batch": _whole(1, MOST_TOKENS),
    "n_ubatch": _whole(1, MOST_TOKENS),
    "n_outputs_max": _whole(1, MOST_TOKENS),
    "n_threads": _whole(1, MOST_THREADS),
    "parallel": _whole(1, MOST_PARALLEL),
    "verdict": _one_of("gpu", "partial", "cpu", "too_big"),
    "elapsed_ms": _is_number,
}
_BYTES = ("total_bytes", "free_bytes", "reserve_bytes", "weights_bytes", "kv_bytes", "compute_bytes")
_SPEEDS = ("prefill_tokens_per_s", "decode_tokens_per_s")


def _check_numbers(fields: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if not _is_number(fields[name]):
            raise ValueError(f"{name} cannot be {_shown(fields[name])}")
    if not isinstance(fields.get("id", ""), str):
        raise ValueError(f"a device cannot be {_shown(fields['id'])}")


def _check_pattern(pattern: Any) -> None:
    """Refuse patterns that cost the expression engines here and in llama.cpp hours or their stack."""
    if not isinstance(pattern, str) or not pattern or len(pattern) > PATTERN_CHARACTERS:
        raise ValueError(f"a pattern cannot be {_shown(pattern)}")
    too_many = len(_REPEAT.findall(pattern)) > MOST_REPEATS or pattern.count("?") > MOST_CHOICES
    if _REPEATED_GROUP.search(pattern) or too_many or pattern.count("(") > MOST_GROUPS:
        raise ValueError(f"the pattern {_shown(pattern)} is too costly")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"the pattern {_shown(pattern)} is none ({error})") from None


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a number of over 30 digits"
    return text if len(text) <= 80 else f"{text[:77]}..."
