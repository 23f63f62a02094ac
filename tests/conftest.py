"""What every test gets: a home of its own, no internet, no threads or children left behind."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.core.paths import Home

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["GGML_NO_BACKTRACE"] = "1"


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path_factory.mktemp("home") / "Pronk 数据"
    monkeypatch.setenv("PRONK_HOME", str(root))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return root


@pytest.fixture
def home() -> Home:
    """The test's own data folder, prepared; its name holds a space and Chinese letters."""
    return Home(Path(os.environ["PRONK_HOME"])).prepare()


@pytest.fixture(autouse=True)
def _no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def only_loopback(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", only_loopback)


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    threads = set(threading.enumerate())
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    pause = threading.Event()
    for _ in range(300):
        left = [thread.name for thread in set(threading.enumerate()) - threads if not thread.name.startswith("QThread")]
        alive = [
            child for child in psutil.Process().children(recursive=True) if child.pid not in children and _lives(child)
        ]
        if not left and not alive:
            return
        pause.wait(0.01)
    pytest.fail(f"{request.node.name} left threads {left} and children {[child.cmdline() for child in alive]}")


def _lives(child: psutil.Process) -> bool:
    try:
        return child.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
