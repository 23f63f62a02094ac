"""The converting process has no network and no token."""

import os
import subprocess
import sys

from tests.support.convert_child import ROOT

PROGRAM = """
import os, socket, sys
from converters.isolation import isolate
isolate()
assert not [name for name in os.environ if "TOKEN" in name or "KEY" in name], os.environ
from converters.errors import ConvertError
for use in (lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1]))),
            lambda: socket.socket().connect(("127.0.0.1", int(sys.argv[1]))),
            lambda: socket.getaddrinfo("example.org", 443),
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("127.0.0.1", 9))):
    try:
        use()
    except ConvertError as error:
        assert "network" in error.message
    else:
        raise SystemExit("the network was reached")
"""


def test_no_network_and_no_token() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        secrets = {"HF_TOKEN": "hf_secret", "HUGGING_FACE_HUB_TOKEN": "hf_secret", "OPENAI_API_KEY": "sk-secret"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(server.getsockname()[1])],
            cwd=ROOT,
            env={**os.environ, **secrets},
            capture_output=True,
            text=True,
            timeout=60,
        )
        server.settimeout(0)
        assert done.returncode == 0, done.stderr
        try:
            server.accept()
        except BlockingIOError:
            return
        raise AssertionError("something connected")
