"""Checks what was written before it comes into view: llama.cpp loads it, and answers."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from converters.errors import EngineFailed
from converters.events import Cancel
from converters.ggml import Kernels
from converters.helper import Helper
from converters.jsonfile import JsonObject
from converters.output import PartFile
from converters.plan import OutputTensor
from converters.quant_types import BLOCKS

GREEDY_TOKENS = 32
_CHUNK_BYTES = 4 << 20
MOST_TRIAL_S = 60.0  # then the tokens that are left are taken in one pass


def check_files(
    parts: Sequence[PartFile], helper: Helper, n_threads: int, with_trial: bool, most_trial_s: float = MOST_TRIAL_S
) -> tuple[list[JsonObject], list[str]]:
    """Give for each file what was checked, {n_tensors, greedy_tokens, at_once, n_layers, note}, and warnings.

    with_trial: let each file answer 32 tokens, too. Raises EngineFailed when llama.cpp's loader refuses a file."""
    checks, warnings = [], []
    for part in parts:
        check: JsonObject = {"n_tensors": _check_tensors(part, helper)}
        if with_trial:
            check |= _trial(part, helper, n_threads, most_trial_s)
            if check["greedy_tokens"] < GREEDY_TOKENS:
                warnings.append(check["note"])
        else:
            check |= _untried(f"{part.plan.path.name}: no trial answer was asked for.")
        checks.append(check)
    return checks, warnings


def check_numbers(parts: Sequence[PartFile], kernels: Kernels, cancel: Cancel) -> None:
    """Read all tensors back; raises EngineFailed when one does not hold what can be a number.

    An answer would not tell: llama.cpp's quantized products take what is no number for zero."""
    for part in parts:
        with part.path.open("rb") as file:
            for tensor in part.plan.tensors:
                for chunk in _chunks(file, tensor):
                    cancel.check()
                    if not kernels.is_valid(tensor.type, chunk):
                        raise EngineFailed(f"{tensor.source.name} in {part.plan.path.name} was damaged on the disk.")


def _chunks(file: BinaryIO, tensor: OutputTensor) -> Iterator[bytes]:
    """Give a tensor's bytes, in pieces of whole blocks."""
    block_bytes = BLOCKS[tensor.type][1]
    most_bytes = _CHUNK_BYTES // block_bytes * block_bytes
    file.seek(tensor.start)
    for done in range(0, tensor.size_bytes, most_bytes):
        yield file.read(min(most_bytes, tensor.size_bytes - done))


def _check_tensors(part: PartFile, helper: Helper) -> int:
    name, expected = part.plan.path.name, len(part.plan.tensors)
    helper.ask(do="tokenize", model=str(part.path), pre=None, texts=["hello"])
    found: int = helper.ask(do="list", model=str(part.path))["n_tensors"]
    if found != expected:
        raise EngineFailed(f"llama.cpp finds {found} tensors in {name}; {expected} were written.")
    return found


def _trial(part: PartFile, helper: Helper, n_threads: int, most_s: float) -> JsonObject:
    name = part.plan.path.name
    try:
        answer = helper.ask(do="try", model=str(part.path), n_tokens=GREEDY_TOKENS, n_threads=n_threads, most_s=most_s)
    except EngineFailed as error:  # memory, perhaps: the loader has accepted the file, so it is kept
        return _untried(f"{name}: the trial answer failed: {error.message}")
    return {**answer, "note": _note(name, answer["greedy_tokens"], answer["at_once"])}


def _untried(note: str) -> JsonObject:
    return {"greedy_tokens": 0, "at_once": 0, "n_layers": 0, "note": note}


def _note(name: str, made: int, at_once: int) -> str:
    if made < GREEDY_TOKENS:
        return f"{name}: the trial answer ended after {made} of {GREEDY_TOKENS} tokens without sensible numbers."
    if at_once:
        return f"{name}: it takes long to read, so the last {at_once} of {made} trial tokens were taken in one pass."
    return ""
