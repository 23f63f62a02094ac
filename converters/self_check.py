"""Checks what was written before it comes into view: llama.cpp loads it, and answers."""

from collections.abc import Sequence

from converters.errors import EngineFailed
from converters.helper import Helper
from converters.jsonfile import JsonObject
from converters.output import PartFile

GREEDY_TOKENS = 32


def check_files(
    parts: Sequence[PartFile], helper: Helper, n_threads: int, most_trial_bytes: int
) -> tuple[list[JsonObject], list[str]]:
    """Give for each file what was checked, {n_tensors, greedy_tokens, note}, and warnings.

    most_trial_bytes: larger files are not asked for an answer, which would hold them in memory.
    Raises EngineFailed when llama.cpp's loader refuses a file."""
    checks, warnings = [], []
    for part in parts:
        check = _check(part, helper, n_threads, most_trial_bytes)
        checks.append(check)
        if check["failed"]:
            warnings.append(check["note"])
    return [{key: value for key, value in check.items() if key != "failed"} for check in checks], warnings


def _check(part: PartFile, helper: Helper, n_threads: int, most_trial_bytes: int) -> JsonObject:
    name, expected = part.plan.path.name, len(part.plan.tensors)
    helper.ask(do="tokenize", model=str(part.path), pre=None, texts=["hello"])
    found = helper.ask(do="try", model=str(part.path), n_tokens=0, n_threads=n_threads)["n_tensors"]
    if found != expected:
        raise EngineFailed(f"llama.cpp finds {found} tensors in {name}; {expected} were written.")
    if part.plan.size_bytes > most_trial_bytes:
        note = (
            f"{name}: no trial answer, for it would take {part.plan.size_bytes:,} bytes of memory; "
            f"up to {most_trial_bytes:,} are taken for one (--trial always: any)."
        )
        return {"n_tensors": found, "greedy_tokens": 0, "note": note, "failed": False}
    return {"n_tensors": found, **_trial(part, helper, n_threads)}


def _trial(part: PartFile, helper: Helper, n_threads: int) -> JsonObject:
    name = part.plan.path.name
    try:
        made = helper.ask(do="try", model=str(part.path), n_tokens=GREEDY_TOKENS, n_threads=n_threads)["greedy_tokens"]
    except EngineFailed as error:  # memory, perhaps: the loader has accepted the file, so it is kept
        return {"greedy_tokens": 0, "note": f"{name}: the trial answer failed: {error.message}", "failed": True}
    if made < GREEDY_TOKENS:
        note = f"{name}: the trial answer ended after {made} of {GREEDY_TOKENS} tokens without sensible numbers."
        return {"greedy_tokens": made, "note": note, "failed": True}
    return {"greedy_tokens": made, "note": "", "failed": False}
