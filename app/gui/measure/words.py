"""What is said while and after this computer is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication

if TYPE_CHECKING:
    from app.devices.values import Devices


def tr(text: str) -> str:
    """Return `text` in the window's language."""
    return QCoreApplication.translate("measure", text)


def share_of(event: Mapping[str, Any]) -> float:
    """Return how much is done by a progress event, 0 to 1; 0 when it does not say."""
    done = event.get("done_bytes", event.get("done")) or 0
    total = event.get("total_bytes", event.get("total")) or 0
    return min(1.0, max(0.0, float(done) / float(total))) if total else 0.0


def phase_words(event: Mapping[str, Any]) -> str:
    """Return what is measured just now."""
    return tr("Measuring…")


def result_sentence(result: Mapping[str, Any]) -> str:
    """Return what came of it in a sentence."""
    return tr("Measured.")


def result_rows(result: Mapping[str, Any], devices: Devices | None) -> list[tuple[str, str]]:
    """Return the figures, each with its name in plain words."""
    return []
