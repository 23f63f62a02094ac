"""Models of every architecture at hand as files: a whole header with a vocabulary, and a hole for the weights."""

from pathlib import Path

from converters.gguf_header import TensorInfo, encode_header, padded
from converters.quant_rules import choose
from converters.quant_types import FILE_TYPES, GgmlType, size_of, sizes_from_metadata
from converters.values import Value, i32s, text, texts, u32
from tests.support.headers import N_VOCAB, Model, kept_of, metadata_of, shapes_of
from tests.support.malformed_base import bpe_tokens


def write_whole_header(model: Model, folder: Path, file_type: str = "Q4_K_M") -> Path:
    """Write the file and return its path."""
    shapes, metadata = shapes_of(model), metadata_of(model) | _tokenizer()
    kept = dict.fromkeys(kept_of(model), GgmlType.MXFP4)
    types = choose(FILE_TYPES[file_type], sizes_from_metadata(metadata), shapes, GgmlType.BF16, kept)
    infos, offset = [], 0
    for name, shape in shapes.items():
        infos.append(TensorInfo(name, shape, types[name], offset))
        offset += padded(size_of(types[name], shape))
    path = folder / f"{model.name.replace(' ', '-').replace(',', '')}.gguf"
    with path.open("wb") as file:
        file.write(encode_header(metadata, infos))
        file.truncate(file.tell() + offset)
    return path


def _tokenizer() -> dict[str, Value]:
    tokens = bpe_tokens()
    tokens += [f"more {number}" for number in range(N_VOCAB - len(tokens))]
    return {
        "tokenizer.ggml.model": text("gpt2"),
        "tokenizer.ggml.pre": text("smollm"),
        "tokenizer.ggml.tokens": texts(tokens),
        "tokenizer.ggml.token_type": i32s([1] * N_VOCAB),
        "tokenizer.ggml.merges": texts(["H i"]),
        "tokenizer.ggml.eos_token_id": u32(1),
    }
