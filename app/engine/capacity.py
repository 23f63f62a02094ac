"""The child that finds out how much devices really give after one of them refused: python -m app.engine.capacity.

Request {"op":"capacity","rpc":[…],"devices":{id: most_bytes}}; the answer is {id: bytes} of the devices that are there.
"""

import os
from contextlib import suppress
from typing import Any

from app.core.errors import AppError
from app.jobs.child import claim_stdout, serve_requests
from app.llama.capacity import capacity_of
from app.llama.devices import start_engine_library
from app.llama.rpc import add_server


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Answer with what each device gives, at most what is asked for."""
    start_engine_library()
    for endpoint in request["rpc"]:
        with suppress(AppError):  # a computer that is gone gives nothing
            add_server(endpoint)
    return {device: capacity_of(device, int(most)) for device, most in request["devices"].items()}


if __name__ == "__main__":
    os.environ["GGML_NO_BACKTRACE"] = "1"
    serve_requests({"capacity": measure}, claim_stdout())
