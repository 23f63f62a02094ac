import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from app.actions.context import Pronk
from app.actions.models import add_file, list_models
from app.actions.preflight import preflight, require_loadable
from app.core.errors import BadFile, EngineFailed, UnsupportedModel
from app.core.paths import Home
from app.library import preflight as library_preflight
from app.library.preflight import Preflight
from tests.support.cli import run_pronk
from tests.support.gguf_builder import I32, U16
from tests.support.malformed_base import Parts, Raw, bpe_model, bpe_tokens, spm_model, spm_tokens, string, strings, u32

pytestmark = pytest.mark.native

OK = Preflight("ok")


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_preflight, "LIMIT_S", 20.0)


@pytest.fixture
def pronk(home: Home) -> Pronk:
    return Pronk(home)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[Parts], Path]:
    def write(parts: Parts) -> Path:
        path = tmp_path / "my model.gguf"
        path.write_bytes(parts.build())
        return path

    return write


def crashing() -> Parts:
    """A model that llama.cpp dies of when it reads its first text, and that our own checks let pass."""
    return spm_model().where(
        "tokenizer.ggml.tokens", strings([token.replace("<0x", "<byte ") for token in spm_tokens()])
    )


def _no_child(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a child was started")


def test_a_good_model_costs_nothing_the_next_time(
    pronk: Pronk, put: Callable[[Parts], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(bpe_model())
    assert preflight(pronk, path) == OK
    with monkeypatch.context() as patch:
        patch.setattr(library_preflight, "start_process", _no_child)
        assert preflight(pronk, path) == OK
        os.utime(path, ns=(1, 1))
        with pytest.raises(AssertionError, match="a child was started"):
            preflight(pronk, path)
    assert preflight(pronk, path) == OK


def test_a_file_that_changes_is_tried_again(pronk: Pronk, put: Callable[[Parts], Path]) -> None:
    path = put(bpe_model())
    assert preflight(pronk, path) == OK
    put(bpe_model().where("tokenizer.ggml.merges", None))
    result = preflight(pronk, path)
    assert (result.verdict, result.kind) == ("refused", "bad_file")
    assert "cannot find tokenizer merges" in result.message


def split(parts: Parts, folder: Path) -> list[Path]:
    """Write a model in two files, as llama.cpp splits it."""
    size_bytes = sum(line.size_bytes for line in parts.tensors[:5])
    count = {"split.count": u16(2), "split.tensors.count": i32(len(parts.tensors))}
    first = parts.having(
        metadata={**parts.metadata, "split.no": u16(0), **count},
        tensors=parts.tensors[:5],
        data=parts.data[:size_bytes],
    )
    second = parts.having(
        metadata={"split.no": u16(1), **count}, tensors=parts.tensors[5:], data=parts.data[size_bytes:]
    )
    paths = [folder / f"model-0000{number}-of-00002.gguf" for number in (1, 2)]
    for path, half in zip(paths, (first, second), strict=True):
        path.write_bytes(half.build())
    return paths


def u16(value: int) -> Raw:
    return Raw(U16, struct.pack("<H", value))


def i32(value: int) -> Raw:
    return Raw(I32, struct.pack("<i", value))


def test_a_split_model_is_tried_with_all_its_files(pronk: Pronk, tmp_path: Path) -> None:
    first, second = split(bpe_model(), tmp_path)
    assert preflight(pronk, first) == OK
    second.write_bytes(split(bpe_model().tensor("blk.1.ffn_down.weight", shape=(64, 128)), tmp_path)[1].read_bytes())
    result = preflight(pronk, first)
    assert result.verdict == "refused"
    assert "blk.1.ffn_down.weight" in result.message
    second.unlink()
    assert "1 missing: model-00002-of-00002.gguf" in preflight(pronk, first).message


def test_what_a_newer_engine_may_know_is_told_so(pronk: Pronk, put: Callable[[Parts], Path]) -> None:
    path = put(bpe_model().where("general.architecture", string("llama9")))
    with pytest.raises(UnsupportedModel, match="unknown model architecture: 'llama9'") as caught:
        require_loadable(pronk, path)
    assert "update Pronk" in caught.value.hint
    assert "--force" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_no_obstacle(pronk: Pronk, put: Callable[[Parts], Path]) -> None:
    (pronk.home.cache / "preflight").write_text("in the way")
    assert preflight(pronk, put(bpe_model())) == OK


def test_a_file_that_crashes_llama_cpp_is_added_with_force_only(pronk: Pronk, put: Callable[[Parts], Path]) -> None:
    path = put(crashing())
    with pytest.raises(EngineFailed, match=r"llama\.cpp crashed on my model\.gguf \(signal 6"):
        add_file(pronk, path)
    assert list_models(pronk) == ()
    warnings: list[str] = []
    assert add_file(pronk, path, force=True, warn=warnings.append).name == "my-model"
    (warning,) = warnings
    assert "crashed on my model.gguf" in warning


def test_a_header_that_cannot_be_read_is_not_added_even_so(pronk: Pronk, put: Callable[[Parts], Path]) -> None:
    path = put(bpe_model().where("llama.block_count", u32(0)))
    with pytest.raises(BadFile, match="claims 0 layers"):
        add_file(pronk, path, force=True)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><title>Sign in</title>"])
def test_force_is_hinted_only_where_it_helps(pronk: Pronk, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    for force in (False, True):
        with pytest.raises(BadFile) as caught:
            require_loadable(pronk, path, force)
        assert "--force" not in caught.value.hint


def with_a_token_twice() -> Parts:
    """A model that is refused by its vocabulary: no child is started, so no time limit counts."""
    return bpe_model().where("tokenizer.ggml.tokens", strings([*bpe_tokens()[:-1], "Hi"]))


def test_serve_ends_with_one_line_before_it_plans(put: Callable[[Parts], Path]) -> None:
    done = run_pronk("serve", str(put(with_a_token_twice())), "--events")
    assert done.returncode == 1
    (event,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (event["event"], event["kind"]) == ("failed", "bad_file")
    assert "1 of its 260 tokens stand there more than once, 'Hi' for example" in event["message"]
    assert "--force" in event["hint"]
    assert "Traceback" not in done.stderr


def test_serve_with_force_warns_and_tries(put: Callable[[Parts], Path]) -> None:
    done = run_pronk("serve", str(put(with_a_token_twice())), "--events", "--force")
    assert done.returncode == 1
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events if event["event"] not in ("progress", "alive")] == [
        "ready",
        "warning",
        "failed",
    ]
    assert "It is tried all the same" in events[1]["message"]
    assert "SIGABRT" in events[-1]["message"]
