"""How long the converter takes on real weights, as the whole process that a user starts."""

import tempfile
from pathlib import Path

from tests.bench.figures import Figure, timed
from tests.support.checkpoints import make_checkpoint
from tests.support.cli import run_pronk
from tests.support.models import smollm2_gguf

RUNS = 5


def conversions() -> list[Figure]:
    """SmolLM2-135M from BF16 safetensors: to Q8_0, to Q4_K_M, and to both from one read."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "SmolLM2-135M-Instruct"
        make_checkpoint(smollm2_gguf(), checkpoint, n_shards=2)
        return [_conversion(checkpoint, types) for types in (("Q8_0",), ("Q4_K_M",), ("Q4_K_M", "Q8_0"))]


def _conversion(checkpoint: Path, types: tuple[str, ...]) -> Figure:
    words = [word for name in types for word in ("--type", name)]

    def convert() -> None:
        done = run_pronk("convert", str(checkpoint), *words, "--home", str(checkpoint.parent / "home"))
        assert done.returncode == 0, done.stderr

    return Figure(f"convert 135M to {' and '.join(types)}", "s", timed(convert, RUNS))
