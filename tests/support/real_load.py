"""Loads a model as the engine does and says what it took: `python -m tests.support.real_load`, a JSON request on stdin.

Request {model, rpc: […], gpus: […], candidates: […]}; answer on stdout: a JSON list of {host, gpus}, one a candidate.
"""

import json
import os
import sys
from pathlib import Path
from subprocess import run
from typing import Any

from app.devices.candidates import by_device, placement_of, size_of
from app.llama.devices import start_engine_library
from app.llama.memory import MemoryReader
from app.llama.rpc import add_server
from app.llama.session import SessionOptions, load_session


def real_loads(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Ask a child to load each candidate and return what it took."""
    done = run(
        [sys.executable, "-m", "tests.support.real_load"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "GGML_NO_BACKTRACE": "1"},
    )
    answer: list[dict[str, Any]] = json.loads(done.stdout)
    return answer


def _load(request: dict[str, Any]) -> list[dict[str, Any]]:
    reader = MemoryReader(start_engine_library())
    for endpoint in request["rpc"]:
        add_server(endpoint)
    answers = []
    for candidate in request["candidates"]:
        session = load_session(Path(request["model"]), _options(candidate, request["gpus"]), lambda _: True)
        answers.append(by_device(reader.read(session.context), request["gpus"]))
        session.close()
    return answers


def _options(candidate: dict[str, Any], gpus: list[str]) -> SessionOptions:
    placement, size = placement_of(candidate, gpus), size_of(candidate)
    return SessionOptions(
        n_gpu_layers=placement.n_gpu_layers,
        context=size.context,
        kv_type=size.kv_type,
        n_ubatch=size.n_ubatch,
        n_outputs_max=size.n_outputs_max,
        n_threads=2,
        parallel=size.parallel,
        gpus=placement.gpus,
        tensor_split=placement.tensor_split,
        tensor_overrides=placement.overrides,
    )


if __name__ == "__main__":
    print(json.dumps(_load(json.load(sys.stdin))))
