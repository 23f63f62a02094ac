"""Headers as bytes: read back by the gguf package as they were meant."""

from pathlib import Path

import gguf
import numpy as np

from converters.gguf_header import ALIGNMENT, TensorInfo, encode_header, padded
from converters.quant_types import BLOCKS, GgmlType
from converters.values import Value, ValueType, f32, flag, i32s, text, texts, u32


def test_the_gguf_package_reads_it_back(tmp_path: Path) -> None:
    metadata = {
        "general.architecture": text("llama"), "a.u32": u32(7), "a.f32": f32(0.5), "a.flag": flag(True),
        "a.texts": texts(["x", "数", ""]), "a.i32s": i32s([1, -2]), "a.u64": Value(ValueType.UINT64, 1 << 40),
    }  # fmt: skip
    infos = [TensorInfo("one", (2, 3), GgmlType.F32, 0), TensorInfo("two", (4,), GgmlType.F16, 32)]
    header = encode_header(metadata, infos)
    assert len(header) % ALIGNMENT == 0
    path = tmp_path / "x.gguf"
    data = np.arange(6, dtype=np.float32).tobytes().ljust(32, b"\0") + np.ones(4, np.float16).tobytes().ljust(32, b"\0")
    path.write_bytes(header + data)
    reader = gguf.GGUFReader(path)
    assert {key: reader.fields[key].contents() for key in metadata} == {
        key: list(value.data) if isinstance(value.data, list) else value.data for key, value in metadata.items()
    }
    assert [tensor.name for tensor in reader.tensors] == ["one", "two"]
    assert reader.tensors[0].data.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_padding_rounds_up() -> None:
    assert [padded(n) for n in (0, 1, 32, 33)] == [0, 32, 32, 64]


def test_type_numbers_and_blocks_are_those_of_the_gguf_package() -> None:
    for kind, (block, block_bytes) in BLOCKS.items():
        assert gguf.GGMLQuantizationType[kind.name] == kind
        assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)] == (block, block_bytes)
