"""The convert page's words that belong to no single widget."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from app.core.units import format_size

BILLION, MILLION = 10**9, 10**6


def tr(text: str) -> str:
    """Return `text` in the window's language."""
    return QCoreApplication.translate("convert", text)


def count_parameters(n: int) -> str:
    """Return "1.1 billion parameters", "135 million parameters"."""
    unit, words = (
        (BILLION, tr("{0} billion parameters")) if n >= 999.5 * MILLION else (MILLION, tr("{0} million parameters"))
    )
    value = n / unit
    return words.format(f"{value:.0f}" if value >= 99.95 else f"{value:.1f}")


def source_words(hf_class: str, parameters: int, n_files: int, size_bytes: int) -> str:
    """Return what the source is: "LlamaForCausalLM, 1.1 billion parameters, 2 files, 2.2 GB"."""
    parts = [hf_class]
    if parameters:
        parts.append(count_parameters(parameters))
    if n_files:
        files = tr("1 file") if n_files == 1 else tr("{0} files").format(n_files)
        parts += [files, format_size(size_bytes)]
    return ", ".join(parts)


def dropped_words(names: Sequence[str]) -> str:
    """Return how much of the checkpoint is left out, "" for nothing."""
    if not names:
        return ""
    if len(names) == 1:
        return tr("1 tensor of the checkpoint is left out: {0}.").format(names[0])
    return tr("{0} tensors of the checkpoint are left out, the first is {1}.").format(len(names), names[0])


def verdict_text(verdict: str, n_gpus: int) -> str:
    """Return a verdict in a few words."""
    words = {
        "gpu": tr("fits on your GPU") if n_gpus < 2 else tr("fits on your GPUs"),
        "partial": tr("partly on your GPU") if n_gpus < 2 else tr("partly on your GPUs"),
        "cpu": tr("runs on your processor"),
        "too_big": tr("too big for this computer"),
    }
    return words.get(verdict, "")


def phase_text(phase: str, what: str) -> str:
    """Return what the converter does now: "Converting blk.3.ffn_up.weight"."""
    words = {
        "read": tr("Reading {0}"),
        "quantize": tr("Converting {0}"),
        "check": tr("Checking {0}"),
        "write": tr("Finishing {0}"),
    }
    return words.get(phase, "{0}").format(what).strip()
