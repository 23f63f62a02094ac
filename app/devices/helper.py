"""The resident helper child: probes drivers, measures memory and does dry runs, so that a crash costs only itself.

python -m app.devices.helper [--rpc HOST:PORT]…
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from app.core.errors import EngineFailed
from app.devices.bandwidth import measure_bandwidth
from app.devices.probe import probe
from app.jobs.child import claim_stdout, serve_requests


class Requests:
    """The helper's operations; llama.cpp is loaded by the first one that needs it."""

    def __init__(self, rpc: Sequence[str]) -> None:
        self._rpc = tuple(rpc)
        self._dry_runs: Any = None
        self._connected = False

    def probe(self, _: dict[str, Any]) -> dict[str, Any]:
        """Answer with the engine, its GPUs and notes."""
        note = ""
        try:
            self._connect()
        except EngineFailed as error:
            note = error.message
        answer = probe()
        if note and note not in answer["notes"]:
            answer["notes"].append(note)
        return answer

    def bandwidth(self, request: dict[str, Any]) -> dict[str, Any]:
        """Measure main memory's bandwidth with `n_threads`."""
        return {"bandwidth_bytes_per_s": measure_bandwidth(int(request["n_threads"]))}

    def _connect(self) -> None:
        if self._connected:
            return
        from app.llama.devices import start_engine_library
        from app.llama.rpc import add_servers

        start_engine_library()
        add_servers(self._rpc)
        self._connected = True


def main(argv: Sequence[str]) -> None:
    """Serve requests until the parent is gone."""
    parser = argparse.ArgumentParser(prog="app.devices.helper")
    parser.add_argument("--rpc", action="append", default=[], metavar="HOST:PORT")
    arguments = parser.parse_args(argv)
    os.environ["GGML_NO_BACKTRACE"] = "1"
    requests = Requests(arguments.rpc)
    serve_requests(
        {"probe": requests.probe, "bandwidth": requests.bandwidth},
        claim_stdout(),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
