"""The child that measures how fast devices compute: python -m app.devices.benchmark --folder DIR [--rpc HOST:PORT]…

Requests: {"op":"device","device","n_threads"}, {"op":"type","device","ggml_type","n_threads"}, {"op":"tasks","device",
"ggml_type","n_threads":[…],"n_ubatch"}. Each answer has `others`: the share of the processor that other programs took
meanwhile, for what was measured beside them is too slow.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from app.jobs.child import claim_stdout, serve_requests

Answer = dict[str, Any]


class Requests:
    """The child's operations; llama.cpp is loaded by the first one."""

    def __init__(self, folder: Path, rpc: Sequence[str]) -> None:
        self._folder = folder
        self._rpc = tuple(rpc)
        self._loaded: Any = None

    def device(self, request: Answer) -> Answer:
        """Measure what a device takes besides multiplying with weights."""
        benchmark = self._benchmark()
        device, n_threads = request["device"], request["n_threads"]
        return _watched(device, lambda: asdict(benchmark.device_speed(device, n_threads)))

    def type(self, request: Answer) -> Answer:
        """Measure a device with weights of one type."""
        benchmark = self._benchmark()
        device, kind, n_threads = request["device"], request["ggml_type"], request["n_threads"]
        return _watched(device, lambda: asdict(benchmark.type_speed(device, kind, n_threads)))

    def tasks(self, request: Answer) -> Answer:
        """Measure a device with several numbers of threads."""
        benchmark = self._benchmark()
        device, kind, n_threads = request["device"], request["ggml_type"], request["n_threads"]
        return _watched(
            device,
            lambda: {
                "tasks": [asdict(task) for task in benchmark.task_speeds(device, kind, n_threads, request["n_ubatch"])]
            },
        )

    def _benchmark(self) -> Any:
        if self._loaded is None:
            from app.llama.benchmark import Benchmark
            from app.llama.devices import start_engine_library
            from app.llama.rpc import add_servers

            llama = start_engine_library()
            add_servers(self._rpc)
            self._loaded = Benchmark(llama, self._folder)
        return self._loaded


def _watched(device: str, measure: Callable[[], Answer]) -> Answer:
    """Return what is measured, and the share of all processors that other programs took.

    For other devices than the processor it is 0: a GPU is not slowed by it, a lender on this computer would be counted.
    """
    start_s, before, mine = time.perf_counter(), _busy_s(), time.process_time()
    answer = measure()
    if device != "CPU":
        return {**answer, "others": 0.0}
    whole_s = max(1e-3, (time.perf_counter() - start_s) * (psutil.cpu_count() or 1))
    others_s = _busy_s() - before - (time.process_time() - mine)
    return {**answer, "others": round(min(1.0, max(0.0, others_s / whole_s)), 3)}


def _busy_s() -> float:
    times = psutil.cpu_times()
    # What is stolen from a virtual machine is stolen from models as well.
    idle = sum(getattr(times, name, 0.0) for name in ("idle", "iowait", "steal", "guest", "guest_nice"))
    return float(sum(times) - idle)


def main(argv: Sequence[str]) -> None:
    """Serve requests until the parent is gone."""
    parser = argparse.ArgumentParser(prog="app.devices.benchmark")
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR")
    parser.add_argument("--rpc", action="append", default=[], metavar="HOST:PORT")
    arguments = parser.parse_args(argv)
    os.environ["GGML_NO_BACKTRACE"] = "1"
    requests = Requests(arguments.folder, arguments.rpc)
    serve_requests({"device": requests.device, "type": requests.type, "tasks": requests.tasks}, claim_stdout())


if __name__ == "__main__":
    main(sys.argv[1:])
