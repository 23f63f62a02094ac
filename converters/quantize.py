"""The one pass over the weights: read a block, widen, reorder, quantize for each file, write in its place."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import numpy as np
import numpy.typing as npt

from converters.blocks import Block, Piece, Span
from converters.errors import BadCheckpoint
from converters.events import Cancel
from converters.ggml import Kernels
from converters.output import PartFile
from converters.plan import OutputTensor
from converters.quant_types import GgmlType
from converters.transforms import Array, Raw

Target = tuple[PartFile, OutputTensor]
Targets = Mapping[str, Sequence[Target]]
_RAW_TYPES = {"F32": "<f4", "F16": "<u2", "BF16": "<u2", "U8": "u1", "I8": "i1"}


def targets_of(outputs: Sequence[PartFile]) -> Targets:
    """Give every place where a tensor goes, by its name."""
    targets: dict[str, list[Target]] = {}
    for output in outputs:
        for tensor in output.plan.tensors:
            targets.setdefault(tensor.source.name, []).append((output, tensor))
    return targets


def convert_blocks(
    blocks: Iterable[Block], targets: Targets, n_threads: int, cancel: Cancel, on_block: Callable[[Block], None]
) -> None:
    """Convert every block, n_threads at a time; the first failure ends it. on_block runs in the calling thread."""
    kernels = Kernels()
    running: dict[Future[None], Block] = {}
    with ThreadPoolExecutor(n_threads, thread_name_prefix="quantize") as pool:
        try:
            for block in blocks:
                running[pool.submit(_convert, block, targets, kernels, cancel)] = block
                if len(running) > n_threads:
                    _collect(running, cancel, on_block)
            while running:
                _collect(running, cancel, on_block)
        finally:
            for future in running:
                future.cancel()


def _collect(running: dict[Future[None], Block], cancel: Cancel, on_block: Callable[[Block], None]) -> None:
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        future.result()
        on_block(running.pop(future))
    cancel.check()


def _convert(block: Block, targets: Targets, kernels: Kernels, cancel: Cancel) -> None:
    stretches = [_read(span) for span in block.spans]
    for piece in block.pieces:
        raw = [
            entry.layout.read_from(stretch, span.first)
            for entry, span, stretch in zip(piece.inputs, block.spans, stretches, strict=False)
        ]
        _write(piece, raw, targets[piece.source.name], kernels, cancel)


def _read(span: Span) -> Raw:
    raw = bytearray(span.size_bytes)
    stored = span.stored
    with stored.path.open("rb", buffering=0) as file:
        file.seek(span.offset)
        if _read_into(file.readinto, raw) != len(raw):
            raise BadCheckpoint(f"{stored.path.name} became shorter while tensor {stored.name!r} was read.")
    return np.frombuffer(raw, dtype=_RAW_TYPES[stored.dtype])


def _read_into(readinto: Callable[[memoryview], int | None], raw: bytearray) -> int:
    view, done = memoryview(raw), 0
    while done < len(raw) and (count := readinto(view[done:])):
        done += count
    return done


def _write(piece: Piece, raw: Sequence[Raw], targets: Sequence[Target], kernels: Kernels, cancel: Cancel) -> None:
    """Make the piece's rows in each type that is wanted, and write them; equal types are made once."""
    source = piece.source
    rows: Array | None = None
    packed: dict[tuple[GgmlType, GgmlType], npt.NDArray[np.uint8]] = {}
    for part, tensor in targets:
        cancel.check()
        kind = (tensor.type, tensor.via)
        if tensor.type is source.transform.packed:
            assert source.transform.join is not None
            packed.setdefault(kind, source.transform.join(*raw))
        elif kind not in packed:
            rows = _rows(piece, raw, kernels) if rows is None else rows
            packed[kind] = _pack(tensor, _rounded(piece, tensor.via, rows, kernels), kernels)
        row_bytes = tensor.size_bytes // source.n_rows
        part.write(tensor.start + piece.first_row * row_bytes, packed[kind].reshape(-1).data)


def _rows(piece: Piece, raw: Sequence[Raw], kernels: Kernels) -> Array:
    """Give the piece's rows as finite float32, transformed."""
    source = piece.source
    shape = (piece.n_rows, source.n_columns)
    if source.data is not None:
        return source.data.reshape(source.n_rows, source.n_columns)[piece.first_row : piece.first_row + piece.n_rows]
    if not piece.inputs:
        return np.zeros(shape, dtype=np.float32)
    stored = piece.inputs[0].stored
    ordered = bytearray(np.ascontiguousarray(raw[0]).reshape(-1).data.cast("B"))
    values = kernels.widen(stored.dtype, ordered, piece.n_rows * source.n_columns)
    if not np.isfinite(values).all():
        raise BadCheckpoint(
            f"Tensor {stored.name!r} holds NaN or infinite weights.", hint="The model is damaged: download it again."
        )
    if source.transform.values is not None:
        values = source.transform.values(values)
        if stored.dtype == "F16":  # there the reference computes in half precision
            values = _through(GgmlType.F16, values, kernels)
    return values.reshape(shape)


def _rounded(piece: Piece, via: GgmlType, rows: Array, kernels: Kernels) -> Array:
    """Round the rows to the type of the two steps' first file, unless they have it already."""
    stored = piece.inputs[0].stored.dtype if piece.inputs else "F32"
    exact = via is GgmlType.F32 or (stored == via.name and piece.source.transform.values is None)
    return rows if exact else _through(via, rows, kernels).reshape(rows.shape)


def _through(kind: GgmlType, values: Array, kernels: Kernels) -> Array:
    narrow = kernels.quantize(kind, values.reshape(1, -1))
    return kernels.widen(kind.name, bytearray(narrow.data), values.size)


def _pack(tensor: OutputTensor, rows: Array, kernels: Kernels) -> npt.NDArray[np.uint8]:
    try:
        return kernels.quantize(tensor.type, rows)
    except BadCheckpoint as error:
        raise BadCheckpoint(f"Tensor {tensor.source.name!r}: {error.message}", hint=error.hint) from error
