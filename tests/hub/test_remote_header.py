"""Headers over HTTP from a real server: few ranges, a token that stays at home, faults in plain words."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.actions.context import Pronk
from app.actions.devices import find_devices
from app.actions.models import add_model, inspect_model, resolve_model
from app.actions.plan import plan_model
from app.actions.remote import header_of_remote
from app.core.errors import AppError, BadFile, BadRequest, NetworkError, NotYet
from app.core.paths import Home
from app.hub import http
from app.hub import remote_header as module
from app.hub.names import Endpoint, RemoteFile, parts_of, remote_file
from app.hub.remote_header import remote_header
from app.library.facts_reader import read_facts
from app.library.header import read_header
from app.plan.values import PlanRequest
from tests.support.hub_server import Hub, serving
from tests.support.models import smollm2_gguf
from tests.support.split_model import split_in_two

NAME = "hf:org/repo/SmolLM2.gguf"
PATH = "/org/repo/resolve/main/SmolLM2.gguf"
MIB = 2**20


@pytest.fixture(scope="module")
def model() -> bytes:
    return smollm2_gguf().read_bytes()


@pytest.fixture
def hub(model: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with serving(files={PATH: model}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "no login"))
        yield hub


@pytest.fixture
def pronk(home: Home) -> Iterator[Pronk]:
    context = Pronk(home)
    yield context
    context.close()


def test_facts_are_those_of_the_whole_file(hub: Hub, pronk: Pronk) -> None:
    facts, whole = inspect_model(pronk, NAME), read_facts(smollm2_gguf())
    assert (facts.metadata, facts.tensors, facts.size_bytes) == (whole.metadata, whole.tensors, whole.size_bytes)
    kept = Path(facts.path)
    assert kept.stat().st_size == whole.size_bytes
    assert kept.stat().st_blocks * 512 <= 5 * MIB
    assert [one.range for one in hub.seen] == ["bytes=0-1048575", "bytes=1048576-4194303"]


def test_second_time_costs_one_small_request(hub: Hub, pronk: Pronk) -> None:
    first = header_of_remote(pronk, NAME)
    written_ns = first.stat().st_mtime_ns
    hub.seen.clear()
    assert header_of_remote(pronk, NAME) == first
    assert hub.methods() == ["HEAD"]
    assert first.stat().st_mtime_ns == written_ns


def test_another_upload_is_seen(hub: Hub, pronk: Pronk, model: bytes) -> None:
    header_of_remote(pronk, NAME)
    hub.files[PATH] = model + b"more"
    hub.seen.clear()
    assert header_of_remote(pronk, NAME).stat().st_size == len(model) + 4
    assert hub.methods()[:2] == ["HEAD", "GET"]


def test_known_header_serves_offline(hub: Hub, pronk: Pronk, monkeypatch: pytest.MonkeyPatch) -> None:
    header_of_remote(pronk, NAME)
    monkeypatch.setattr(http, "TIMEOUT_S", 0.3)
    hub.is_silent = True
    assert inspect_model(pronk, NAME).architecture == "llama"


def test_no_network_is_told_at_once(pronk: Pronk, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(NetworkError, match="Cannot fetch org/repo/SmolLM2"):
            header_of_remote(pronk, NAME)


def test_server_that_does_not_answer(hub: Hub, pronk: Pronk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT_S", 0.3)
    hub.is_silent = True
    with pytest.raises(NetworkError, match="did not answer in time"):
        header_of_remote(pronk, NAME)


def test_server_that_sends_a_byte_now_and_then(hub: Hub, pronk: Pronk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.3)
    hub.drips = True
    with pytest.raises(NetworkError, match="too slowly"):
        header_of_remote(pronk, NAME)


@pytest.mark.parametrize("target", ["http://[::1/x", "http://x..y/x", PATH, "file:///etc/passwd"])
def test_redirects_to_nowhere(hub: Hub, pronk: Pronk, target: str) -> None:
    hub.redirect = target
    with pytest.raises(NetworkError, match="SmolLM2"):
        header_of_remote(pronk, NAME)


@pytest.mark.parametrize("told", [f"bytes 0-1/{'9' * 40}", f"bytes 0-1/{'9' * 5000}", "bytes 5-1/10", "bytes 0-1/*"])
def test_lengths_that_no_file_has(hub: Hub, pronk: Pronk, told: str) -> None:
    hub.content_range = told
    with pytest.raises(NetworkError, match="how long the file is"):
        header_of_remote(pronk, NAME)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_token_stays_with_the_hub(
    hub: Hub, pronk: Pronk, model: bytes, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving(files={PATH: model}) as storage:
        if elsewhere:
            hub.bytes_from = storage.url
        else:
            hub.moved_to, hub.files = "/new/name", {"/new/name": model}
        for _ in range(2):
            header_of_remote(pronk, NAME)
        assert {one.token for one in hub.seen} == {"Bearer hf_secret"}
        assert {one.token for one in storage.seen} == ({""} if elsewhere else set())
        # The second time the hub's own answer is enough.
        assert storage.methods() == (["GET", "GET"] if elsewhere else [])


def test_login_of_hugging_faces_tools_is_heeded(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_file\n")
    assert remote_file(NAME, {"HF_HOME": str(tmp_path)}).endpoint.token == "hf_file"
    assert remote_file(NAME, {"HF_HOME": str(tmp_path), "HF_TOKEN": "hf_env"}).endpoint.token == "hf_env"
    assert remote_file(f"ms:{NAME[3:]}", {"HF_TOKEN": "hf_env"}).endpoint.token == ""


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (404, "EntryNotFound", "file name"),
        (401, "RepoNotFound", "HF_TOKEN"),
        (401, "GatedRepo", "Accept its conditions"),
        (403, "GatedRepo", "Accept its conditions"),
        (503, "", "later"),
    ],
)
def test_refusals(hub: Hub, pronk: Pronk, status: int, code: str, hint: str) -> None:
    hub.statuses[PATH] = (status, code)
    with pytest.raises(NetworkError, match=f"status {status}") as raised:
        header_of_remote(pronk, NAME)
    assert hint in raised.value.hint


def test_server_without_ranges_serves_short_headers(hub: Hub, pronk: Pronk) -> None:
    hub.ignores_ranges = True
    assert inspect_model(pronk, NAME).n_layers == 30
    assert hub.methods() == ["GET"]


@pytest.mark.parametrize("ignores_ranges", [False, True])
def test_header_without_end_is_given_up_after_16_mib(hub: Hub, pronk: Pronk, ignores_ranges: bool) -> None:
    hub.ignores_ranges = ignores_ranges
    # One text of 100 MB: llama.cpp would read it all.
    text = (100 * MIB).to_bytes(8, "little")
    hub.files[PATH] = (
        b"GGUF\x03\0\0\0" + bytes(8) + b"\2" + bytes(7) + (1).to_bytes(8, "little") + b"k\x08\0\0\0" + text
        + bytes(17 * MIB) + bytes(84 * MIB)
    )  # fmt: skip
    with pytest.raises(AppError) as raised:
        header_of_remote(pronk, NAME)
    assert isinstance(raised.value, BadFile)
    assert len(hub.seen) <= 3


def test_connection_that_breaks(hub: Hub, pronk: Pronk) -> None:
    hub.breaks_after_bytes = 5000
    with pytest.raises(NetworkError):
        header_of_remote(pronk, NAME)
    assert not [path for path in (pronk.home.cache / "remote").rglob("*") if path.is_file()]


def test_what_is_no_model_is_refused(hub: Hub, pronk: Pronk) -> None:
    hub.files[PATH] = b"<html>Sign in</html>" * 50
    with pytest.raises(BadFile):
        header_of_remote(pronk, NAME)


def test_parts_of_a_split_model(hub: Hub, pronk: Pronk, tmp_path: Path) -> None:
    whole = read_facts(smollm2_gguf())
    for part in split_in_two(smollm2_gguf(), tmp_path):
        hub.files[f"/org/repo/resolve/main/sub/{part.name}"] = part.read_bytes()
    facts = inspect_model(pronk, "hf:org/repo/sub/split-00001-of-00002.gguf")
    assert {(t.name, t.size_bytes) for t in facts.tensors} == {(t.name, t.size_bytes) for t in whole.tensors}
    with pytest.raises(BadRequest, match="part 2 of 2"):
        inspect_model(pronk, "hf:org/repo/sub/split-00002-of-00002.gguf")


@pytest.mark.native
def test_plan_before_the_download_is_the_plan_after_it(hub: Hub, pronk: Pronk) -> None:
    devices, request = find_devices(pronk), PlanRequest(context=4096)
    before = plan_model(pronk, inspect_model(pronk, NAME), devices, request)
    after = plan_model(pronk, read_facts(smollm2_gguf()), devices, request)
    assert before.method == "dry_run"
    assert before.host == after.host


def test_header_is_never_taken_for_a_model(hub: Hub, pronk: Pronk) -> None:
    kept = header_of_remote(pronk, NAME)
    for meant in (NAME, str(kept)):
        with pytest.raises(NotYet, match="not on this computer"):
            resolve_model(pronk, meant)
    with pytest.raises(NotYet):
        add_model(pronk, kept)


@pytest.mark.parametrize(
    "text",
    [
        "hf:",
        "hf:org",
        "hf:org/repo",
        "hf:org/repo/file.bin",
        "hf:../x/f.gguf",
        "hf:o/r/../f.gguf",
        "hf:o/r/.gguf/",
        "hf:o/r/..\\..\\f.gguf",
        "hf:o/r/a\n\x1b.gguf",
        "hf:o/r/\udcff.gguf",
    ],
)
def test_names_that_name_no_file(text: str) -> None:
    with pytest.raises(BadRequest, match="names no model file"):
        remote_file(text, {})


def test_addresses() -> None:
    assert remote_file("hf:o/r/a b/f.gguf", {}).url == "https://huggingface.co/o/r/resolve/main/a%20b/f.gguf"
    assert remote_file("ms:o/r/f.gguf", {}).url == "https://modelscope.cn/models/o/r/resolve/master/f.gguf"
    assert remote_file("hf:o/r/f.gguf", {"HF_ENDPOINT": "https://mirror.org/"}).url.startswith("https://mirror.org/o/r")
    with pytest.raises(BadRequest, match="HF_ENDPOINT"):
        remote_file("hf:o/r/f.gguf", {"HF_ENDPOINT": "mirror"})
    for address in ("http://[::1", "http://h:port", "http://user:secret@h"):
        with pytest.raises(BadRequest, match="HF_ENDPOINT is no address") as caught:
            remote_file("hf:o/r/f.gguf", {"HF_ENDPOINT": address})
        assert "secret" not in f"{caught.value.message} {caught.value.hint}"
    for token in ("a\nb", "geheim…"):
        with pytest.raises(BadRequest, match="token") as caught:
            remote_file("hf:o/r/f.gguf", {"HF_TOKEN": token})
        assert token not in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(BadRequest, match="part 1 of 0"):
        parts_of(remote_file("hf:o/r/f-00001-of-00000.gguf", {}))
    first = remote_file("hf:o/r/f-00001-of-00003.gguf", {})
    assert [part.path for part in parts_of(first)] == [f"f-0000{n}-of-00003.gguf" for n in (1, 2, 3)]


def test_mirrors_do_not_share_headers(hub: Hub, tmp_path: Path, model: bytes) -> None:
    with serving(files={PATH: model + bytes(10)}) as mirror:
        places = [
            remote_header(RemoteFile(Endpoint(url, "/{repository}/resolve/main/{path}"), "org/repo", "SmolLM2.gguf"),
                          tmp_path, read_header)
            for url in (hub.url, mirror.url)
        ]  # fmt: skip
    assert [place.stat().st_size for place in places] == [len(model), len(model) + 10]
