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
    warnings = [str(warning) for warning in result.get("warnings") or ()]
    lines += _checks(result.get("self_check") or (), warnings)
    kept = int(result.get("resumed_bytes") or 0)
    if kept:
        lines.append(ResultLine(tr("{0} were done already when it was continued.").format(format_size(kept)), "muted"))
    return lines + [ResultLine(warning, "warning") for warning in warnings]


def _parity(parity: Mapping[str, Any]) -> list[ResultLine]:
    checked, equal = int(parity.get("checked") or 0), int(parity.get("equal") or 0)
    if not checked:
        return []
    words = tr("Tokenizer: {0} of {1} test texts give the same tokens.").format(equal, checked)
    return [ResultLine(words, "ok" if equal == checked else "warning")]


def _checks(told: Mapping[str, Any] | Sequence[Mapping[str, Any]], warnings: Sequence[str]) -> list[ResultLine]:
    """Say what the converter tried with its files; one file's check stands alone, several files' in a list."""
    checks = [told] if isinstance(told, Mapping) else list(told)
    if not checks:
        return []
    n_tensors = checks[0].get("n_tensors")
    one, several = (
        tr("Self-check: llama.cpp loads the file, {0} tensors."),
        tr("Self-check: llama.cpp loads each file, {0} tensors."),
    )
    words = (one if len(checks) == 1 else several).format(n_tensors)
    made = min(int(check.get("greedy_tokens") or 0) for check in checks)
    if made:
        words += " " + tr("A trial answer of {0} tokens went well.").format(made)
    notes = [str(check["note"]) for check in checks if check.get("note")]
    return [ResultLine(words, "muted"), *(ResultLine(note, "muted") for note in notes if note not in warnings)]
