"""What a finished conversion has to say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.units import format_size
from app.gui.convert.types import RECOMMENDED
from app.gui.convert.words import tr


@dataclass(frozen=True)
class ResultLine:
    """One line and its label's kind."""

    text: str
    kind: str


def best_path(files: Sequence[Mapping[str, Any]]) -> str:
    """Return the path of the recommended type, or else of the first file; "" when there is none."""
    best = next((file for file in files if file["type"] == RECOMMENDED), files[0] if files else None)
    return str(best["path"]) if best is not None else ""


def result_lines(result: Mapping[str, Any]) -> list[ResultLine]:
    """Return the parity line, what was checked, what was kept from an earlier run, and the warnings."""
    lines = [*_parity(result.get("tokenizer_parity") or {})]
    lines += [ResultLine(str(check), "muted") for check in result.get("checks") or ()]
    kept = int(result.get("resumed_bytes") or 0)
    if kept:
        lines.append(ResultLine(tr("{0} were done already when it was continued.").format(format_size(kept)), "muted"))
    return lines + [ResultLine(str(warning), "warning") for warning in result.get("warnings") or ()]


def _parity(parity: Mapping[str, Any]) -> list[ResultLine]:
    checked, equal = int(parity.get("checked") or 0), int(parity.get("equal") or 0)
    if not checked:
        return []
    words = tr("Tokenizer: {0} of {1} test texts give the same tokens.").format(equal, checked)
    return [ResultLine(words, "ok" if equal == checked else "warning")]
