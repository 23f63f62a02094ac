"""Works out every byte of the output before any weight is read: types, offsets, sizes, disk and memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from converters.blocks import READ_AHEAD, largest_block_values
from converters.gguf_header import TensorInfo, encode_header, padded
from converters.mapped_pages import resident_bytes
from converters.mapping import SourceTensor
from converters.quant_types import FileType, GgmlType, file_order, size_of
from converters.values import Metadata

_BASE_MEMORY_BYTES = 176 << 20  # interpreter, libraries, tokenizer, helper
_BYTES_PER_TOKEN = 1000  # Python's objects of one vocabulary entry and its merge


@dataclass(frozen=True)
class OutputTensor:
    """One tensor of an output file and where its data starts in it.

    via: the type that values are rounded to first, so that they equal those of the two steps of llama.cpp (convert to
    the checkpoint's own type, then quantize); F32 where nothing is rounded."""

    source: SourceTensor
    type: GgmlType
    via: GgmlType
    start: int
    size_bytes: int


@dataclass(frozen=True)
class OutputFile:
    """One file to be written: its header as bytes, and its tensors in file order."""

    path: Path
    file_type: FileType
    header: bytes
    tensors: tuple[OutputTensor, ...]
    size_bytes: int


def plan_file(
    path: Path,
    file_type: FileType,
    metadata: Metadata,
    types: Mapping[str, GgmlType],
    sources: Sequence[SourceTensor],
    via: Mapping[str, GgmlType] | None = None,
) -> OutputFile:
    """Lay out one file in the order that llama.cpp's quantizer writes; via: see OutputTensor."""
    infos, sizes, offset = [], [], 0
    ordered = sorted(sources, key=lambda source: file_order(source.name))
    for source in ordered:
        kind = types[source.name]
        infos.append(TensorInfo(source.name, source.shape, kind, offset))
        sizes.append(size_of(kind, source.shape))
        offset += padded(sizes[-1])
    header = encode_header(metadata, infos)
    rounded = via or {}
    tensors = tuple(
        OutputTensor(
            source,
            types[source.name],
            rounded.get(source.name, GgmlType.F32),
            len(header) + info.offset,
            size_bytes,
        )
        for source, info, size_bytes in zip(ordered, infos, sizes, strict=True)
    )
    return OutputFile(path, file_type, header, tensors, len(header) + offset)


def peak_memory_bytes(
    sources: Sequence[SourceTensor], files: Sequence[OutputFile], n_threads: int, n_tokens: int, with_trial: bool
) -> int:
    """Estimate the most memory taken at once: blocks in flight as stored, as F32 and packed; or a trial of a file."""
    headers = sum(len(file.header) for file in files)
    blocks = (n_threads + READ_AHEAD) * largest_block_values(sources) * (4 + 4 + 4 + 4)
    trial = max(resident_bytes(file.size_bytes) for file in files) if with_trial else 0
    return _BASE_MEMORY_BYTES + n_tokens * _BYTES_PER_TOKEN + 2 * headers + max(blocks, trial)
