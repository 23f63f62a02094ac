"""Loads a model for real and says what it took: `python -m tests.support.real_load` with a JSON request on stdin.

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
from app.llama.logs import LogCollector
from app.llama.memory import MemoryReader
from app.llama.parameters import LOAD_MODE_NONE, context_parameters, model_parameters
from app.llama.rpc import add_server


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
    llama = start_engine_library()
    log = LogCollector(llama)
    for endpoint in request["rpc"]:
        add_server(endpoint)
    reader = MemoryReader(llama)
    answers = []
    for candidate in request["candidates"]:
        parameters = model_parameters(llama, placement_of(candidate, request["gpus"]))
        parameters.struct.load_mode = LOAD_MODE_NONE
        model = llama.llama_model_load_from_file(str(Path(request["model"])).encode(), parameters.struct)
        assert model, log.last_error()
        context = llama.llama_init_from_model(model, context_parameters(llama, size_of(candidate)))
        assert context, log.last_error()
        answers.append(by_device(reader.read(context), request["gpus"]))
        llama.llama_free(context)
        llama.llama_model_free(model)
    return answers


if __name__ == "__main__":
    print(json.dumps(_load(json.load(sys.stdin))))
