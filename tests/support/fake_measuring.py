"""A stand-in for `pronk bench --computer --events --watch-stdin`: the real protocol, no measuring.

Run as a child: `python tests/support/fake_measuring.py --mode hold`. Modes: normal; hold (one step, then silence until
it is cancelled); fail (ends with an error).
"""

import argparse
import json
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from app.actions.context import Pronk
from app.jobs.job import run_job

RESULT = {
    "n_threads": 4,
    "n_ubatch": 1024,
    "gain": 1.25,
    "rates": [
        {"device": "CPU", "type": "Q4_K", "decode_bytes_per_s": 20e9, "prefill_flops": 400e9, "is_sure": True},
        {"device": "CPU", "type": "Q8_0", "decode_bytes_per_s": 21e9, "prefill_flops": 300e9, "is_sure": True},
        {"device": "CUDA0", "type": "Q4_K", "decode_bytes_per_s": 290e9, "prefill_flops": 30e12, "is_sure": True},
        {"device": "CUDA0", "type": "Q8_0", "decode_bytes_per_s": 310e9, "prefill_flops": 28e12, "is_sure": True},
    ],
    "paces": [
        {"device": "CPU", "token_s": 0.0005, "layer_s": 0.00002},
        {"device": "CUDA0", "token_s": 0.0004, "layer_s": 0.00003},
    ],
    "others": 0.02,
    "elapsed_s": 19.4,
}


def fake_measuring(mode: str = "normal") -> Callable[..., Mapping[str, Any]]:
    """Return what Ports.measure_computer asks for, with this script behind it."""

    def measure(pronk: Pronk, on_event: Callable[..., None], cancel: threading.Event) -> Mapping[str, Any]:
        return run_job([sys.executable, "-P", __file__, "--mode", mode], on_event, pronk.log("fake"), cancel)

    return measure


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="normal")
    mode = parser.parse_args().mode
    emit({"event": "progress", "phase": "threads", "done": 0, "total": 4})
    if mode == "hold":
        sys.stdin.readline()
        emit({"event": "failed", "kind": "cancelled", "message": "Cancelled.", "hint": ""})
        sys.exit(130)
    if mode == "fail":
        emit({"event": "failed", "kind": "engine", "message": "The benchmark crashed.", "hint": "Try again."})
        sys.exit(1)
    emit({"event": "progress", "phase": "speed", "device": "CPU", "type": "Q4_K", "done": 2, "total": 4})
    emit({"event": "done", "result": RESULT})


def emit(event: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
