"""Greeting computers that lend memory: those that do, and all others within the time limit."""

import socket
import time
from collections.abc import Callable

import pytest

from app.core.errors import BadRequest, EngineFailed
from app.llama.rpc import greet, split_endpoint
from tests.support.lender import hanging_up, listening, older, silent, trickling, web_server


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (silent, "does not answer"),
        (trickling, "does not answer"),
        (web_server, "is not llama.cpp's RPC server"),
        (hanging_up, "is not llama.cpp's RPC server"),
        (older, "speaks version 2.0.0"),
    ],
)
def test_strange_listener_costs_a_clear_error_in_time(behaviour: Callable[[socket.socket], None], words: str) -> None:
    with listening(behaviour) as endpoint:
        start_s = time.monotonic()
        with pytest.raises(EngineFailed, match=words) as caught:
            greet(endpoint, 0.3)
        assert time.monotonic() - start_s < 2
    assert endpoint in caught.value.message
    assert caught.value.hint


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EngineFailed, match=f"127.0.0.1:{port} does not answer"):
        greet(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":50052", "host:0", "host:65536", "host:1x", "[::1]:50052", "host:" + "9" * 5000]
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(BadRequest, match="no HOST:PORT"):
        split_endpoint(text)


@pytest.mark.parametrize("name", ["x..y", "x" * 300])
def test_a_name_that_no_computer_can_have(name: str) -> None:
    with pytest.raises(EngineFailed, match="does not answer"):
        greet(f"{name}:50052")


def test_endpoint() -> None:
    assert split_endpoint("pc.local:50052") == ("pc.local", 50052)
