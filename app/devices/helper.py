"""The resident helper child: probes drivers, measures memory and does dry runs, so that a crash costs only itself.

python -m app.devices.helper [--rpc HOST:PORT]… [--simulate JSON]
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.core.errors import AppError, EngineFailed
from app.devices.bandwidth import measure_bandwidth
from app.devices.candidates import by_device, placement_of, size_of
from app.devices.probe import Probe
from app.jobs.child import claim_stdout, serve_requests


class Requests:
    """The helper's operations; llama.cpp is loaded by the first one that needs it."""

    def __init__(self, rpc: Sequence[str], simulated: Sequence[tuple[str, str, int]] = ()) -> None:
        self._rpc = tuple(dict.fromkeys(rpc))  # registered twice, its devices would be there twice
        self._simulated = tuple(simulated)
        self._simulation: Any = None
        self._probe = Probe()
        self._llama: Any = None
        self._dry_run: Any = None
        self._notes: list[str] = []

    def probe(self, _: dict[str, Any]) -> dict[str, Any]:
        """Answer with the engine, its GPUs and notes."""
        with suppress(EngineFailed):  # probe says it in its own note
            self._engine()
        answer = self._probe.ask()
        return {**answer, "notes": [*self._notes, *answer["notes"]]}

    def bandwidth(self, request: dict[str, Any]) -> dict[str, Any]:
        """Measure main memory's bandwidth with `n_threads`."""
        return {"bandwidth_bytes_per_s": measure_bandwidth(int(request["n_threads"]))}

    def dry_run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer {host, gpus: {id: …}, fault} with the bytes of `candidate` of the file `model` on the devices `gpus`.

        With a `fault` llama.cpp's answer could not be read: only compute_bytes are known then, all else is 0.
        """
        from app.llama.dry_run import DryRun
        from app.llama.skeleton import skeleton_of

        skeleton = skeleton_of(Path(request["model"]), Path(request["skeletons"]))
        llama = self._engine()
        if self._dry_run is None:
            self._dry_run = DryRun(llama)
        candidate = request["candidate"]
        answer = self._dry_run.ask_or_log(skeleton, placement_of(candidate, request["gpus"]), size_of(candidate))
        fault = answer.fault.message if answer.fault else ""
        return {**by_device(answer.uses, request["gpus"]), "fault": fault}

    def _engine(self) -> Any:
        if self._llama is None:
            from app.llama.devices import start_engine_library

            self._llama = start_engine_library()
            for endpoint in self._rpc:
                self._add_server(endpoint)
        if self._simulated and self._simulation is None:
            from app.llama.simulated import SimulatedGpus

            self._simulation = SimulatedGpus(self._simulated)
        return self._llama

    def _add_server(self, endpoint: str) -> None:
        from app.llama.rpc import add_server, not_secret

        try:
            add_server(endpoint)
        except AppError as error:
            self._notes.append(f"{error.message} {error.hint}")
        else:
            self._notes.append(not_secret(endpoint))


def main(argv: Sequence[str]) -> None:
    """Serve requests until the parent is gone."""
    parser = argparse.ArgumentParser(prog="app.devices.helper")
    parser.add_argument("--rpc", action="append", default=[], metavar="HOST:PORT")
    parser.add_argument("--simulate", type=json.loads, default=[], metavar="JSON", help="[[id, name, bytes], …]")
    arguments = parser.parse_args(argv)
    os.environ["GGML_NO_BACKTRACE"] = "1"
    requests = Requests(arguments.rpc, arguments.simulate)
    serve_requests(
        {"probe": requests.probe, "bandwidth": requests.bandwidth, "dry_run": requests.dry_run},
        claim_stdout(),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
