"""The one pass over the weights: read a block, widen, reorder, quantize for each file, write in its place."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from converters.blocks import READ_AHEAD, Block, Piece, Span
from converters.errors import BadCheckpoint, Unreadable
from converters.events import Cancel
from converters.ggml import Kernels
from converters.output import PartFile
from converters.plan import OutputTensor
from converters.quant_types import GgmlType
from converters.transforms import Array, Raw

Target = tuple[PartFile, OutputTensor]
Targets = Mapping[str, Sequence[Target]]
_DAMAGED = "The model is damaged: download it again."
_RAW_TYPES = {"F32": "<f4", "F16": "<u2", "BF16": "<u2", "U8": "u1", "I8": "i1"}


def targets_of(outputs: Sequence[PartFile]) -> Targets:
    """Give every place where a tensor goes, by its name."""
    targets: dict[str, list[Target]] = {}
    for output in outputs:
        for tensor in output.plan.tensors:
            targets.setdefault(tensor.source.name, []).append((output, tensor))
    return targets


@dataclass(frozen=True)
class Workshop:
    """What every block needs: its places, the kernels, and the flag that ends it all."""

    targets: Targets
    kernels: Kernels
    cancel: Cancel


def convert_blocks(
    blocks: Iterable[tuple[int, Block]],
    shop: Workshop,
    n_threads: int,
    on_block: Callable[[int, Block], None],
) -> None:
    """Convert numbered blocks; the first failure ends it. on_block runs in the calling thread, in any order.

    The calling thread reads ahead, n_threads others compute and write."""
    running: dict[Future[None], tuple[int, Block]] = {}
    with ThreadPoolExecutor(n_threads, thread_name_prefix="quantize") as pool:
        try:
            for number, block in blocks:
                stretches = [_read(span) for span in block.spans]
                running[pool.submit(_convert, block, stretches, shop)] = (number, block)
                _collect(running, shop.cancel, on_block, wait_for_room=len(running) >= n_threads + READ_AHEAD)
            while running:
                _collect(running, shop.cancel, on_block, wait_for_room=True)
        finally:
            for future in running:
                future.cancel()


def _collect(
    running: dict[Future[None], tuple[int, Block]],
    cancel: Cancel,
    on_block: Callable[[int, Block], None],
    *,
    wait_for_room: bool,
) -> None:
    finished, _ = wait(running, timeout=None if wait_for_room else 0, return_when=FIRST_COMPLETED)
    for future in finished:
        future.result()
        on_block(*running.pop(future))
    cancel.check()


def _convert(block: Block, stretches: Sequence[Raw], shop: Workshop) -> None:
    for piece in block.pieces:
        raw = [
            entry.layout.read_from(stretch, span.first)
            for entry, span, stretch in zip(piece.inputs, block.spans, stretches, strict=False)
        ]
        _write(piece, raw, shop)


def _read(span: Span) -> Raw:
    raw = np.empty(span.size_bytes, dtype=np.uint8)
    stored = span.stored
    try:
        with stored.path.open("rb", buffering=0) as file:
            file.seek(span.offset)
            if _read_into(file.readinto, raw.data) != raw.size:
                raise BadCheckpoint(f"{stored.path.name} became shorter while tensor {stored.name!r} was read.")
    except OSError as error:
        raise Unreadable(
            f"Cannot read tensor {stored.name!r} of {stored.path}: {error.strerror}.",
            hint="Is its disk still there? Convert again to go on.",
        ) from error
    return raw.view(_RAW_TYPES[stored.dtype])


def _read_into(readinto: Callable[[memoryview], int | None], view: memoryview) -> int:
    done = 0
    while done < len(view) and (count := readinto(view[done:])):
        done += count
    return done


def _write(piece: Piece, raw: Sequence[Raw], shop: Workshop) -> None:
    """Make the piece's rows in each type that is wanted, and write them; equal types are made once."""
    source = piece.source
    rows: Array | None = None
    packed: dict[tuple[GgmlType, GgmlType], npt.NDArray[np.uint8]] = {}
    for part, tensor in shop.targets[source.name]:
        shop.cancel.check()
        kind = (tensor.type, tensor.via)
        if kind not in packed and tensor.type is source.transform.packed:
            assert source.transform.join is not None
            packed[kind] = source.transform.join(*raw)
        elif kind not in packed:
            rows = _rows(piece, raw, shop.kernels) if rows is None else rows
            packed[kind] = _pack(piece, tensor, rows, shop.kernels)
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
    ordered = np.ascontiguousarray(raw[0]).reshape(-1).view(np.uint8)
    values = kernels.widen(stored.dtype, ordered, piece.n_rows * source.n_columns)
    if not np.isfinite(values).all():
        raise BadCheckpoint(f"Tensor {stored.name!r} holds NaN or infinite weights.", hint=_DAMAGED)
    if source.transform.values is not None:
        values = source.transform.values(values)
        if not np.isfinite(values).all():
            raise BadCheckpoint(f"Tensor {stored.name!r} holds weights beyond all measure.", hint=_DAMAGED)
        if stored.dtype == "F16":  # there the reference computes in half precision
            values = kernels.round_through(values, GgmlType.F16)
    return values.reshape(shape)


def _rounded(piece: Piece, via: GgmlType, rows: Array, kernels: Kernels) -> Array:
    """Round the rows to the type of the two steps' first file, unless they have it already."""
    stored = piece.inputs[0].stored.dtype if piece.inputs else "F32"
    exact = via is GgmlType.F32 or (stored == via.name and piece.source.transform.values is None)
    return rows if exact else kernels.round_through(rows.copy(), via)


def _pack(piece: Piece, tensor: OutputTensor, rows: Array, kernels: Kernels) -> npt.NDArray[np.uint8]:
    try:
        return kernels.quantize(tensor.type, _rounded(piece, tensor.via, rows, kernels))
    except BadCheckpoint as error:
        raise BadCheckpoint(f"Tensor {tensor.source.name!r}: {error.message}", hint=error.hint) from error
