"""Headers of safetensors files: read as the library writes them, refused when they lie."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from converters.errors import BadCheckpoint
from converters.jsonfile import read_object
from converters.safetensors_header import read_header
from tests.support.checkpoints import write_safetensors


def write(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + data)
    return path


def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_a_file_of_the_library_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(3, np.uint16)})
    stored = {tensor.name: tensor for tensor in read_header(path)}
    assert (stored["b"].dtype, stored["b"].shape, stored["a"].dtype) == ("F32", (2, 3), "BF16")
    with path.open("rb") as file:
        file.seek(stored["b"].offset)
        raw = file.read(stored["b"].size_bytes)
    write_safetensors(tmp_path / "only.safetensors", {"b": np.frombuffer(raw, np.float32).reshape(2, 3)})
    assert np.array_equal(load_file(tmp_path / "only.safetensors")["b"], np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ({"t": entry(offsets=(0, 12))}, "does not fill"),
        ({"t": entry(shape=(3,))}, "does not fill"),
        ({"t": entry(offsets=(8, 0))}, "does not fill"),
        ({"t": entry(shape=(-1, -2))}, "does not fill"),
        ({"t": entry(shape=(2.0,))}, "does not fill"),
        ({"t": entry(shape=[1] * 9 + [2])}, "does not fill"),
        ({"t": entry(shape=(1 << 62, 1 << 62))}, "does not fill"),
        ({"t": entry(dtype="F33")}, "malformed"),
        ({"t": {"dtype": "F32"}}, "malformed"),
        ({"t": [1]}, "malformed"),
        ({"t": entry(), "u": entry(offsets=(4, 12))}, "overlap"),
        ({"t": entry(offsets=(16, 24))}, "cut short"),
        (b"[1, 2]", "no JSON object"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 50_000, "not valid JSON"),
    ],
)
def test_a_lying_header_is_refused(tmp_path: Path, header: Any, word: str) -> None:
    path = write(tmp_path / "bad.safetensors", header, data=bytes(16))
    with pytest.raises(BadCheckpoint, match=word) as caught:
        read_header(path)
    assert "bad.safetensors" in caught.value.message


@pytest.mark.parametrize("length", [1 << 63, 1 << 40, 3])
def test_a_wrong_header_length_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(BadCheckpoint):
        read_header(write(tmp_path / "bad.safetensors", {"t": entry()}, bytes(8), length))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").touch()
    with pytest.raises(BadCheckpoint, match="cut short"):
        read_header(tmp_path / "bad.safetensors")


def test_an_empty_tensor_takes_no_place(tmp_path: Path) -> None:
    header = {
        "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
        "empty": {"dtype": "U8", "shape": [0, 3], "data_offsets": [0, 0]},
    }
    raw = json.dumps(header).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(4))
    assert {tensor.name for tensor in read_header(path)} == {"a", "empty"}


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    raw = b'{"a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}, "a": 1}'
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw)
    with pytest.raises(BadCheckpoint, match="'a' stands in it twice"):
        read_header(path)


def test_a_note_of_git_lfs_is_told_as_such(tmp_path: Path) -> None:
    note = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2200119864\n"
    (tmp_path / "model.safetensors").write_bytes(note)
    (tmp_path / "tokenizer.json").write_bytes(note)
    with pytest.raises(BadCheckpoint, match="Git LFS"):
        read_header(tmp_path / "model.safetensors")
    with pytest.raises(BadCheckpoint, match="Git LFS"):
        read_object(tmp_path / "tokenizer.json")
