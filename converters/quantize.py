"""The one pass over the weights: read a block of rows, widen, reorder, quantize for each file, write in its place."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from converters.errors import BadCheckpoint
from converters.events import Cancel
from converters.ggml import Kernels
from converters.mapping import Part, SourceTensor
from converters.output import PartFile
from converters.plan import OutputTensor, rows_per_block
from converters.quant_types import GgmlType
from converters.transforms import Array

Target = tuple[PartFile, OutputTensor]


@dataclass(frozen=True)
class Block:
    """Some rows of one tensor, from first_row on, the stored part that they lie in, and every place where they go."""

    source: SourceTensor
    part: Part | None
    first_row: int
    n_rows: int
    targets: Sequence[Target]

    @property
    def size_bytes(self) -> int:
        """Bytes that the block takes in the checkpoint."""
        return self.part.stored.size_bytes // self.part.n_rows * self.n_rows if self.part else 0


def blocks_of(outputs: Sequence[PartFile]) -> Iterator[Block]:
    """Cut all tensors into blocks, in the order in which they are stored; a stack of experts takes no memory."""
    targets: dict[str, list[Target]] = {}
    for output in outputs:
        for tensor in output.plan.tensors:
            targets.setdefault(tensor.source.name, []).append((output, tensor))
    pieces = [(part, places) for places in targets.values() for part in places[0][1].source.parts or (None,)]
    for part, places in sorted(pieces, key=lambda piece: _stored_at(piece[0])):
        source = places[0][1].source
        first, n_rows = (part.row, part.n_rows) if part else (0, source.n_rows)
        step = rows_per_block(source)
        for offset in range(0, n_rows, step):
            yield Block(source, part, first + offset, min(step, n_rows - offset), places)


def _stored_at(part: Part | None) -> tuple[str, int]:
    return (str(part.stored.path), part.stored.offset) if part else ("", 0)


def convert_blocks(blocks: Iterable[Block], n_threads: int, cancel: Cancel, on_block: Callable[[Block], None]) -> None:
    """Convert every block, n_threads at a time; the first failure ends it. on_block runs in the calling thread."""
    kernels = Kernels()
    running: dict[Future[None], Block] = {}
    with ThreadPoolExecutor(n_threads, thread_name_prefix="quantize") as pool:
        try:
            for block in blocks:
                running[pool.submit(_convert, block, kernels, cancel)] = block
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


def _convert(block: Block, kernels: Kernels, cancel: Cancel) -> None:
    rows = _rows(block, kernels)
    packed: dict[GgmlType, bytes | memoryview] = {}
    for part, tensor in block.targets:
        cancel.check()
        if tensor.type not in packed:
            packed[tensor.type] = _pack(kernels, tensor.type, rows, block.source.name)
        row_bytes = tensor.size_bytes // block.source.n_rows
        part.write(tensor.start + block.first_row * row_bytes, packed[tensor.type])


def _pack(kernels: Kernels, kind: GgmlType, rows: Array, name: str) -> memoryview:
    try:
        return kernels.quantize(kind, rows).data
    except BadCheckpoint as error:
        raise BadCheckpoint(f"Tensor {name!r}: {error.message}", hint=error.hint) from error


def _rows(block: Block, kernels: Kernels) -> Array:
    """Give the block's rows as finite float32, transformed."""
    source = block.source
    if source.data is not None:
        return source.data.reshape(source.n_rows, source.n_columns)[block.first_row : block.first_row + block.n_rows]
    assert block.part is not None
    stored, row_bytes = block.part.stored, block.size_bytes // block.n_rows
    raw = bytearray(block.size_bytes)
    with stored.path.open("rb", buffering=0) as file:
        file.seek(stored.offset + row_bytes * (block.first_row - block.part.row))
        if _read_into(file.readinto, raw) != len(raw):
            raise BadCheckpoint(f"{stored.path.name} became shorter while tensor {stored.name!r} was read.")
    values = kernels.widen(stored.dtype, raw, block.n_rows * source.n_columns)
    if not np.isfinite(values).all():
        raise BadCheckpoint(
            f"Tensor {stored.name!r} holds NaN or infinite weights.", hint="The model is damaged: download it again."
        )
    return source.transform.apply(values.reshape(block.n_rows, source.n_columns))


def _read_into(readinto: Callable[[memoryview], int | None], raw: bytearray) -> int:
    view, done = memoryview(raw), 0
    while done < len(raw) and (count := readinto(view[done:])):
        done += count
    return done
