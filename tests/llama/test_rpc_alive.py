"""Connections to lenders are asked for signs of life; other sockets and files are left alone."""

import socket
import sys
from pathlib import Path

import pytest

from app.llama.rpc_alive import EVERY_S, IDLE_S, TRIES, UNANSWERED_MS, keep_watch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names of options are Linux'")


def test_only_connections_to_lenders_are_watched(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as lender,
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.create_connection(lender.getsockname()) as lent,
        socket.create_connection(other.getsockname()) as elsewhere,
        (tmp_path / "file").open("w"),
    ):
        assert keep_watch([f"localhost:{lender.getsockname()[1]}", "no.such.name.invalid:1", "x"]) == 1
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        told = [lent.getsockopt(socket.IPPROTO_TCP, option) for option in options]
        assert told == [IDLE_S, EVERY_S, TRIES, UNANSWERED_MS]
        assert lent.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not elsewhere.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        lent.sendall(b"still open")
    assert keep_watch([]) == 0
