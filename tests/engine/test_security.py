"""Who may come in, as a table and through the real door."""

import pytest

from app.engine.security import Door, allowed_hosts, is_loopback, new_key
from tests.support.engine import Running

PORT = 8123
DOOR = Door("secret-key", allowed_hosts("127.0.0.1", PORT))
LAN_DOOR = Door("secret-key", allowed_hosts("0.0.0.0", PORT, ["192.168.1.5", "fe80::1", "mybox"]))
KEY = (b"authorization", b"Bearer secret-key")

GOOD_HOSTS = [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}"]
BAD_HOSTS = [
    *("", "evil.com", f"evil.com:{PORT}", "localhost.evil.com", f"localhost.evil.com:{PORT}", "127.0.0.1"),
    *(f"127.0.0.1.nip.io:{PORT}", "localhost", "127.0.0.1:80", f"127.0.0.1:{PORT}.", f"localhost.:{PORT}"),
    *(f"127.0.0.1:{PORT}@evil.com", f"user@127.0.0.1:{PORT}", f"127.1:{PORT}", f"2130706433:{PORT}", "[::1]"),
    *(f"[::ffff:127.0.0.1]:{PORT}", f" 127.0.0.1:{PORT}", f"127.0.0.1:0{PORT}", f"0.0.0.0:{PORT}", "\0"),
]
BAD_ORIGINS = [
    *("null", "", "file://", "http://evil.com", "https://evil.com", "http://localhost", "http://localhost.evil.com"),
    *(f"http://localhost.evil.com:{PORT}", f"https://127.0.0.1:{PORT}", f"http://127.0.0.1:{PORT + 1}", "*"),
    *("chrome-extension://abc", "vscode-webview://x", f"http://127.0.0.1.nip.io:{PORT}", f"http://127.0.0.1:{PORT}/"),
    f"http://127.0.0.1:{PORT}, http://evil.com",
]
BAD_KEYS: list[list[bytes]] = [
    *([], [b""], [b"secret-key"], [b"Bearer"], [b"Bearer "], [b"Bearer wrong"], [b"bearer secret-key"]),
    *([b"Bearer secret-key "], [b"Bearer secret-keyy"], [b"Bearer secret-ke"], [b"Basic secret-key"]),
    *([b"Bearer secret-key", b"Bearer secret-key"], [b"Bearer secret-key, Bearer x"], [b"Bearer \xff\xfe"]),
]


def status(door: Door, host: str, *more: tuple[bytes, bytes]) -> int:
    refusal = door.refusal([(b"host", host.encode()), *more])
    return 200 if refusal is None else refusal.status


@pytest.mark.parametrize("door", [DOOR, LAN_DOOR])
def test_hosts(door: Door) -> None:
    assert [host for host in GOOD_HOSTS if status(door, host, KEY) != 200] == []
    allowed_on_lan = {f"0.0.0.0:{PORT}"} if door is LAN_DOOR else set()
    assert {host for host in BAD_HOSTS if status(door, host, KEY) != 403} == allowed_on_lan
    assert door.refusal([KEY]) is not None
    assert door.refusal([(b"host", GOOD_HOSTS[0].encode())] * 2 + [KEY]) is not None


def test_lan_hosts_are_this_computers_own() -> None:
    assert status(LAN_DOOR, f"192.168.1.5:{PORT}", KEY) == 200
    assert status(LAN_DOOR, f"[fe80::1]:{PORT}", KEY) == 200
    assert status(DOOR, f"192.168.1.5:{PORT}", KEY) == 403


def test_origins() -> None:
    host = GOOD_HOSTS[0]
    assert [origin for origin in BAD_ORIGINS if status(DOOR, host, KEY, (b"origin", origin.encode())) != 403] == []
    assert status(DOOR, host, KEY, (b"origin", f"http://{host}".encode())) == 200


@pytest.mark.parametrize("values", BAD_KEYS)
def test_keys(values: list[bytes]) -> None:
    headers = [(b"authorization", value) for value in values]
    assert status(DOOR, GOOD_HOSTS[0], *headers) == 401
    assert DOOR.refusal([(b"host", GOOD_HOSTS[0].encode()), *headers], open_to_all=True) is None


def test_small_things() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert len(new_key()) >= 43
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "192.168.1.5", "box")] == [
        *(True, True, True),
        *(False, False, False),
    ]


@pytest.mark.native
def test_the_real_door(served: Running) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    path = "/v1/chat/completions"
    assert served.send("POST", path, body)[0] == 200
    assert served.send("POST", path, body, {"Host": "evil.com"})[0] == 403
    assert served.send("POST", path, body, {"Origin": "http://evil.com"})[0] == 403
    assert served.send("OPTIONS", path, None, {"Origin": "http://evil.com"})[0] == 403
    assert served.send("POST", path, body, {"Authorization": "Bearer wrong"})[0] == 401
    assert served.send("POST", path, body, {"Content-Type": "text/plain"})[0] == 415
    assert served.send("GET", "/nowhere")[0] == 404
    assert served.send("GET", "/docs")[0] == 404
    assert served.send("DELETE", path)[0] == 405
    assert served.send("POST", path, {**body, "model": "../../etc/passwd"})[0] == 404
    status_, document = served.send("POST", path, raw=b"x" * 10_000_001)
    assert status_ == 413
    assert "10,000,000" in document["error"]["message"]
    assert served.send("POST", path, raw=b"[" * 1_000_000)[0] == 400
    assert served.send("GET", "/health", headers={"Authorization": None})[0] == 200
